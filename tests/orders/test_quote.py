import pytest

from orders.models import Order
from tests import factories


def quote(client, product, quantity=2, **body):
    items = [{"product": product.pk, "quantity": quantity}]
    return client.post("/api/orders/quote/", {"items": items, **body})


def test_quote_is_what_the_order_will_be(as_alice, product):
    response = quote(as_alice, product)
    assert response.status_code == 200
    items = [{"product": product.pk, "quantity": 2}]
    placed = as_alice.post("/api/orders/", {"items": items}).json()
    assert response.json() == {field: placed[field] for field in response.json()}


def test_quote_writes_nothing(as_alice, product):
    quote(as_alice, product)
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    assert not Order.objects.exists()


def test_anonymous_client_gets_a_quote(api, product):
    data = quote(api, product).json()
    assert (data["total_price"], data["shipping_address"]) == ("25.00", None)


def test_address_of_the_body_is_returned(api, product):
    address = {"name": "Rosa", "street_1": "Rua 1", "city": "Porto", "country": "Portugal"}
    response = quote(api, product, shipping_address=address)
    assert response.json()["shipping_address"]["city"] == "Porto"


@pytest.mark.parametrize(
    ("quantity", "fields", "status", "code"),
    [
        (101, {}, 409, "out_of_stock"),
        (1, {"expected_total": "9.00"}, 409, "price_changed"),
        (0, {}, 400, "validation_error"),
    ],
)
def test_quote_is_rejected_as_the_order_would_be(api, product, quantity, fields, status, code):
    response = quote(api, product, quantity, **fields)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_unknown_product_is_pointed_at(api):
    response = quote(api, factories.products.prepare(pk=987654321))
    assert response.json()["errors"][0]["pointer"] == "/items/0/product"


def test_half_an_address_is_reported_in_the_quote(as_alice, alice, product):
    alice.city = ""
    alice.save()
    assert quote(as_alice, product).json()["errors"][0]["pointer"] == "/shipping_address"
