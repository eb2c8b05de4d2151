"""What is retired, not released or never there is one and the same to all but staff."""

import json

import pytest

from tests import factories

PATHS = ["/api/orders/", "/api/orders/quote/"]


@pytest.fixture
def secret(db):
    return factories.products.make(name="Top Secret", price="999.99", is_active=False)


def order(client, path, *pairs):
    items = [{"product": product, "quantity": quantity} for product, quantity in pairs]
    return client.post(path, {"items": items})


@pytest.mark.parametrize("path", PATHS)
def test_retired_and_unknown_products_get_the_same_response(as_alice, secret, path):
    texts = set()
    for pk in (secret.pk, 987654321, 2**63 - 1):
        response = order(as_alice, path, (pk, 1))
        assert response.status_code == 400
        body = response.json() | {"request_id": ""}
        texts.add(json.dumps(body).replace(f"Product {pk} ", "").replace(f'"product": {pk}', ""))
    (text,) = texts
    assert "Secret" not in text
    assert "999" not in text


def test_anonymous_quote_does_not_leak_it(api, secret):
    response = order(api, "/api/orders/quote/", (secret.pk, 1))
    assert response.json()["errors"] == [
        {
            "pointer": "/items/0/product",
            "code": "not_for_sale",
            "detail": f"Product {secret.pk} is not for sale.",
            "product": secret.pk,
        }
    ]
    assert response.json()["suggested_items"] == []


@pytest.mark.parametrize("path", PATHS)
def test_short_items_stand_beside_it_with_what_can_be_had(as_alice, product, secret, path):
    short = factories.products.make(name="Cup", quantity_in_stock=3)
    response = order(as_alice, path, (secret.pk, 1), (short.pk, 5), (product.pk, 2))
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert response.json()["detail"] == "2 of 3 items cannot be supplied."
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [
        ("/items/0/product", "not_for_sale"),
        ("/items/1/quantity", "out_of_stock"),
    ]
    suggested = response.json()["suggested_items"]
    assert suggested == [
        {"product": short.pk, "quantity": 3},
        {"product": product.pk, "quantity": 2},
    ]
    retry = as_alice.post(path, {"items": suggested})
    assert retry.status_code in (200, 201)


def test_no_other_door_shows_it(as_alice, secret):
    assert as_alice.get(f"/api/products/{secret.pk}/").status_code == 404
    for query in ("search=secret", "min_price=900", "in_stock=true", "ordering=-price"):
        assert as_alice.get(f"/api/products/?{query}").json()["results"] == []


def test_staff_cannot_order_it_either(as_clerk, secret):
    response = order(as_clerk, "/api/orders/", (secret.pk, 1))
    assert response.json()["errors"][0]["code"] == "not_for_sale"
