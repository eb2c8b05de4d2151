from products.models import Product
from tests import factories


def test_product_nobody_ordered_is_gone(as_clerk, product):
    assert as_clerk.delete(f"/api/products/{product.pk}/").status_code == 204
    assert not Product.objects.exists()


def test_product_that_was_ordered_stays_and_the_answer_says_to_retire_it(as_clerk, alice, product):
    factories.place(alice, {product: 1})
    answer = as_clerk.delete(f"/api/products/{product.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "product_in_use")
    assert "is_active" in answer.json()["detail"]
    assert Product.objects.exists()
