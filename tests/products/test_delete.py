from products.models import Product
from tests import factories


def test_product_without_orders_is_deleted(as_clerk, product):
    assert as_clerk.delete(f"/api/products/{product.pk}/").status_code == 204
    assert not Product.objects.exists()


def test_ordered_product_stays_and_the_response_suggests_retiring_it(as_clerk, alice, product):
    factories.place(alice, {product: 1})
    response = as_clerk.delete(f"/api/products/{product.pk}/")
    assert (response.status_code, response.json()["code"]) == (409, "product_in_use")
    assert "is_active" in response.json()["detail"]
    assert Product.objects.exists()
