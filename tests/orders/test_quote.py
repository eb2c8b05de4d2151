import pytest

from orders.models import Order
from tests import factories


def quote(client, product, quantity=2, **body):
    items = [{"product": product.pk, "quantity": quantity}]
    return client.post("/api/orders/quote/", {"items": items, **body})


def test_quote_is_what_the_order_will_be(as_alice, product):
    quoted = quote(as_alice, product)
    assert quoted.status_code == 200
    items = [{"product": product.pk, "quantity": 2}]
    placed = as_alice.post("/api/orders/", {"items": items}).json()
    assert quoted.json() == {field: placed[field] for field in quoted.json()}


def test_quote_writes_nothing(as_alice, product):
    quote(as_alice, product)
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    assert not Order.objects.exists()


def test_anonymous_caller_may_ask(api, product):
    answer = quote(api, product).json()
    assert (answer["total_price"], answer["shipping_address"]) == ("25.00", None)


def test_address_of_the_body_is_answered(api, product):
    address = {"name": "Rosa", "street_1": "Rua 1", "city": "Porto", "country": "Portugal"}
    answer = quote(api, product, shipping_address=address)
    assert answer.json()["shipping_address"]["city"] == "Porto"


@pytest.mark.parametrize(
    ("quantity", "more", "status", "code"),
    [
        (101, {}, 409, "out_of_stock"),
        (1, {"expected_total": "9.00"}, 409, "price_changed"),
        (0, {}, 400, "validation_error"),
    ],
)
def test_quote_is_refused_as_the_order_would_be(api, product, quantity, more, status, code):
    answer = quote(api, product, quantity, **more)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_product_nobody_has_is_pointed_at(api):
    answer = quote(api, factories.products.prepare(pk=987654321))
    assert answer.json()["errors"][0]["pointer"] == "/items/0/product"


def test_customer_without_an_address_is_told_so_already(as_alice, alice, product):
    alice.city = ""
    alice.save()
    assert quote(as_alice, product).json()["errors"][0]["pointer"] == "/shipping_address"
