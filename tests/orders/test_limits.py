"""What one customer may hold of the stock, where the shop says so."""

from functools import partial

import pytest
from django.db import connection

from orders.models import Order
from tests import factories
from tests.servers import Server, at_once


def order(client, product, quantity=1, path=""):
    body = {"items": [{"product": product.pk, "quantity": quantity}]}
    return client.post(f"/api/orders/{path}", body)


def test_nothing_is_limited_unless_the_shop_says_so(as_alice, product):
    assert [order(as_alice, product, 10).status_code for _ in range(5)] == [201] * 5


@pytest.mark.parametrize("path", ["", "quote/"])
def test_order_of_too_many_pieces_is_refused(as_alice, product, settings, path):
    settings.MAX_UNITS_PER_ORDER = 5
    refusal = order(as_alice, product, 6, path)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "order_limit_reached")
    assert "at most 5 pieces" in refusal.json()["detail"]
    assert order(as_alice, product, 5, path).status_code in (200, 201)


@pytest.mark.parametrize("end", ["cancel", "ship"])
def test_open_orders_are_limited_until_one_is_not_open(
    as_alice, as_bob, clerk, product, settings, end
):
    settings.MAX_OPEN_ORDERS = 2
    pks = [order(as_alice, product).json()["id"] for _ in range(2)]
    for path in ("", "quote/"):
        assert order(as_alice, product, path=path).json()["code"] == "order_limit_reached"
    assert order(as_bob, product).status_code == 201
    first = Order.objects.get(pk=pks[0])
    if end == "ship":
        first.confirm(by=clerk)
        assert order(as_alice, product).status_code == 409
    getattr(first, end)(by=clerk)
    assert order(as_alice, product).status_code == 201
    product.refresh_from_db()
    assert product.quantity_in_stock == (97 if end == "cancel" else 96)


def orders_at_once(module):
    """How many of twelve orders of one customer are placed at the same moment, where 3 may be."""
    alice = factories.customers.make()
    server = Server(module=module, MAX_OPEN_ORDERS="3").start()
    try:
        product, client = factories.products.make(), server.client(alice)
        answers = at_once(*[partial(client.order, {product.pk: 1})] * 12)
    finally:
        server.stop()
    placed = [answer.status for answer in answers].count(201)
    assert Order.objects.filter(customer=alice).count() == placed
    return placed


@pytest.mark.django_db(transaction=True)
def test_open_orders_are_limited_however_many_come_at_once():
    assert orders_at_once("shopply.wsgi") == 3


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_more_come_through():
    """The negative control."""
    if connection.vendor == "sqlite":
        pytest.skip("each transaction of SQLite begins by locking all")
    assert max(orders_at_once("tests.orders.uncounted") for _ in range(5)) > 3
