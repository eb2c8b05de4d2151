import pytest
from django.db import IntegrityError, transaction

from orders.models import Order
from tests import factories

KEY = "7b6c1f5e-order-1"


def send(client, product, quantity=1, key=KEY, **body):
    body = {"items": [{"product": product.pk, "quantity": quantity}], **body}
    return client.post("/api/orders/", body, headers={"Idempotency-Key": key})


def test_same_key_and_body_return_the_first_response_again(as_alice, product):
    first = send(as_alice, product)
    replay = send(as_alice, product)
    assert (first.status_code, replay.status_code) == (201, 201)
    assert replay.json() == first.json()
    assert replay["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Order.objects.count() == 1
    product.refresh_from_db()
    assert product.quantity_in_stock == 99


def test_first_response_is_returned_whatever_changed_since(as_alice, as_clerk, product):
    first = send(as_alice, product)
    path = f"/api/orders/{first.json()['id']}/"
    as_clerk.post(path + "confirm/")
    as_clerk.post(path + "ship/", {"note": "Parcel 17"})
    as_clerk.patch(f"/api/products/{product.pk}/", {"price": "99.00", "is_active": False})
    as_alice.patch("/api/customers/me/", {"city": "Ribe"})
    assert send(as_alice, product).json() == first.json()
    assert as_alice.get(path).json()["status"] == "shipped"


def test_first_response_is_returned_for_the_last_piece(as_alice, product):
    first = send(as_alice, product, 100)
    assert send(as_alice, product, 100).json() == first.json()


def test_key_with_another_body_is_rejected(as_alice, product):
    send(as_alice, product)
    response = send(as_alice, product, 2)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert response.json()["errors"][0]["header"] == "Idempotency-Key"
    assert Order.objects.count() == 1


def test_whitespace_and_member_order_do_not_change_a_body(as_alice, product):
    bodies = [
        b'{"items": [{"product": %d, "quantity": 1}], "expected_total": "12.50"}' % product.pk,
        b'{"expected_total":"12.50","items":[ {"quantity":1,"product":%d} ]}' % product.pk,
    ]
    responses = [
        as_alice.post(
            "/api/orders/",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": KEY},
        )
        for body in bodies
    ]
    assert responses[0].json() == responses[1].json()


def test_same_key_of_two_customers_places_two_orders(as_alice, as_bob, product):
    assert send(as_alice, product).json()["id"] != send(as_bob, product).json()["id"]


def test_requests_without_a_key_place_separate_orders(as_alice, product):
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    ids = {as_alice.post("/api/orders/", body).json()["id"] for _ in range(3)}
    assert len(ids) == 3


def test_rejected_order_frees_its_key(as_alice, as_clerk, product):
    assert send(as_alice, product, 101).status_code == 409
    assert send(as_alice, product, 0).status_code == 400
    product.adjust_stock(1, reason="delivery", by=None)
    response = send(as_alice, product, 101)
    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response


@pytest.mark.parametrize("key", ["a", "~", "!" * 255, "k" * 255, '"' + "k" * 255 + '"'])
def test_valid_key_is_accepted(as_alice, product, key):
    assert send(as_alice, product, key=key).status_code == 201


def test_quotes_around_the_key_are_not_part_of_it(as_alice, product):
    first = send(as_alice, product, key=f'"{KEY}"')
    assert send(as_alice, product, key=KEY).json() == first.json()


@pytest.mark.parametrize(
    "key",
    ["", '"', '""', '"k', "two words", "k" * 256, "ü", "a, b", "a,b", '"a","b"', '"a", "b"'],
)
def test_bad_key_is_named(as_alice, product, key):
    response = send(as_alice, product, key=key)
    assert response.status_code == 400
    assert [error["header"] for error in response.json()["errors"]] == ["Idempotency-Key"]
    assert not Order.objects.exists()


def test_key_with_a_comma_is_accepted_in_quotes(as_alice, product):
    assert send(as_alice, product, key='"a,b"').status_code == 201


@pytest.mark.parametrize("key", ["tab\t", "\0", "\x7f"])
def test_key_that_is_no_http_field_value_is_named(as_alice, product, key):
    test_bad_key_is_named(as_alice, product, key)


def test_key_taken_between_check_and_write_returns_the_first_response(alice, product):
    """The steps of the request that loses a race, in their order."""
    first = factories.place(alice, {product: 1}, key=KEY, fingerprint="f")
    fields = {"quantities": {product.pk: 1}}
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects._place(alice, idempotency_key=KEY, fingerprint="f", **fields)
    replay = Order.objects.place(customer=alice, by=alice, key=KEY, fingerprint="f", **fields)
    assert (replay.pk, replay.replayed) == (first.pk, True)
    product.refresh_from_db()
    assert product.quantity_in_stock == 99
