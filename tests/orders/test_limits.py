"""Limits on the stock that one customer may hold, if the settings have them."""

from functools import partial

import pytest
from django.db import connection

from orders.models import Order
from tests import factories
from tests.servers import Server, at_once


def order(client, product, quantity=1, path=""):
    body = {"items": [{"product": product.pk, "quantity": quantity}]}
    return client.post(f"/api/orders/{path}", body)


def test_nothing_is_limited_by_default(as_alice, product):
    assert [order(as_alice, product, 10).status_code for _ in range(5)] == [201] * 5


@pytest.mark.parametrize("path", ["", "quote/"])
def test_order_of_too_many_pieces_is_rejected(as_alice, product, settings, path):
    settings.MAX_UNITS_PER_ORDER = 5
    response = order(as_alice, product, 6, path)
    assert (response.status_code, response.json()["code"]) == (409, "order_limit_reached")
    assert "at most 5 pieces" in response.json()["detail"]
    assert order(as_alice, product, 5, path).status_code in (200, 201)


@pytest.mark.parametrize("action", ["cancel", "ship"])
def test_open_orders_are_limited_until_one_is_shipped_or_cancelled(
    as_alice, as_bob, clerk, product, settings, action
):
    settings.MAX_OPEN_ORDERS = 2
    pks = [order(as_alice, product).json()["id"] for _ in range(2)]
    for path in ("", "quote/"):
        assert order(as_alice, product, path=path).json()["code"] == "order_limit_reached"
    assert order(as_bob, product).status_code == 201
    first = Order.objects.get(pk=pks[0])
    if action == "ship":
        first.confirm(by=clerk)
        assert order(as_alice, product).status_code == 409
    getattr(first, action)(by=clerk)
    assert order(as_alice, product).status_code == 201
    product.refresh_from_db()
    assert product.quantity_in_stock == (97 if action == "cancel" else 96)


def place_orders_at_once(module):
    """Place twelve orders of one customer at once, with a limit of 3; return how many succeed."""
    alice = factories.customers.make()
    server = Server(module=module, MAX_OPEN_ORDERS="3").start()
    try:
        product, client = factories.products.make(), server.client(alice)
        responses = at_once(*[partial(client.order, {product.pk: 1})] * 12)
    finally:
        server.stop()
    placed = [response.status for response in responses].count(201)
    assert Order.objects.filter(customer=alice).count() == placed
    return placed


@pytest.mark.django_db(transaction=True)
def test_limit_of_open_orders_holds_for_simultaneous_orders():
    assert place_orders_at_once("shopply.wsgi") == 3


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_more_are_placed():
    """The negative control."""
    if connection.vendor == "sqlite":
        pytest.skip("each transaction of SQLite begins by locking all")
    assert max(place_orders_at_once("tests.orders.uncounted") for _ in range(5)) > 3
