import pytest

from tests import factories


def test_anyone_reads_a_product(api, settings):
    settings.SHOP_CURRENCY = "NOK"
    product = factories.products.make(name="Moka", price="34.90", quantity_in_stock=2)
    data = api.get(f"/api/products/{product.pk}/").json()
    assert data == data | {
        "name": "Moka",
        "price": "34.90",
        "currency": "NOK",
        "quantity_in_stock": 2,
        "in_stock": True,
        "is_active": True,
    }
    assert data["created"].endswith("Z")


def test_sold_out_product_is_not_in_stock(api):
    product = factories.products.make(quantity_in_stock=0)
    assert api.get(f"/api/products/{product.pk}/").json()["in_stock"] is False


def test_retired_product_is_found_by_staff_only(api, as_alice, as_clerk):
    product = factories.products.make(is_active=False)
    assert api.get(f"/api/products/{product.pk}/").status_code == 404
    assert as_alice.get(f"/api/products/{product.pk}/").status_code == 404
    assert as_clerk.get(f"/api/products/{product.pk}/").json()["is_active"] is False


@pytest.mark.parametrize("pk", ["0", "-1", "1.5", "x", "%00", "9" * 19, "9" * 5000, "１"])
def test_invalid_id_is_not_found(api, product, pk):
    response = api.get(f"/api/products/{pk}/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_product_has_no_filters_of_the_list(api, product):
    response = api.get(f"/api/products/{product.pk}/?min_price=9999")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (400, "min_price")
