"""A follower misses nothing that real processes write at the same time, in whatever order."""

import os
from collections import Counter
from functools import partial
from threading import Event

import pytest
from django.db import connection, connections

from orders.models import Order
from tests import factories
from tests.changes.follower import Follower
from tests.servers import Server, at_once

BUYERS = 16
ORDERS = 20_000 if "LONG" in os.environ else 480


@pytest.fixture
def shop_by_time(transactional_db):
    server = Server(workers=2, module="tests.changes.by_time").start()
    yield server
    server.stop()


@pytest.fixture
def rival(transactional_db):
    """Another connection, in a transaction."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's writers are serial")
    rival = connections.create_connection("default")
    rival.set_autocommit(False)
    yield rival
    rival.close()


def test_follower_gets_every_order_of_16_buyers_once(shop, clerk):
    products = factories.products.make(quantity_in_stock=10**6, _quantity=6)
    clients = [shop.client(customer) for customer in factories.customers.make(_quantity=BUYERS)]
    follower, is_over = Follower(shop.client(clerk)), Event()
    followed, ids = [], []

    def buy(number):
        """Place orders of three products, and cancel every eighth."""
        client, placed = clients[number], []
        for n in range(ORDERS // BUYERS):
            three = {products[(number + n + step) % 6].pk: 1 for step in range(3)}
            response = client.order(three)
            assert response.status == 201, response
            placed.append(response.body["id"])
            if n % 8 == 0:
                assert client.call("POST", f"/api/orders/{placed[-1]}/cancel/", {}).status == 200
        return placed

    def follow():
        while not is_over.is_set():
            followed.extend(follower.read())

    def buy_all():
        try:
            ids.extend(sum(at_once(*(partial(buy, number) for number in range(BUYERS))), []))
        finally:
            is_over.set()

    at_once(buy_all, follow)
    assert followed
    followed += follower.read_all()
    counts = Counter(followed)
    assert len(ids) == ORDERS
    placed = {pk: count for (_, pk, event), count in counts.items() if event == "placed"}
    assert placed == dict.fromkeys(ids, 1)
    cancelled = Order.objects.filter(status="cancelled").values_list("pk", flat=True)
    assert {pk: count for (_, pk, event), count in counts.items() if event == "cancelled"} == (
        dict.fromkeys(cancelled, 1)
    )
    stock_moves = sum(count for (_, _, event), count in counts.items() if event == "stock")
    assert stock_moves == 3 * (ORDERS + len(cancelled))


def follow_a_late_commit(server, rival, alice, clerk):
    """Change a product, place an order, follow; then commit the first; return all that was read."""
    edited, ordered = factories.products.make(_quantity=2)
    follower = Follower(server.client(clerk))
    with rival.cursor() as cursor:
        cursor.execute("UPDATE products_product SET description = 'x' WHERE id = %s", [edited.pk])
    order = factories.place(alice, {ordered: 1})
    before = follower.read()
    rival.commit()
    after = follower.read_all()
    edit, sale = ("product", edited.pk, "changed"), ("order", order.pk, "placed")
    return before, after, edit, sale


def test_change_that_is_committed_late_is_shown_then(shop, rival, alice, clerk):
    before, after, edit, sale = follow_a_late_commit(shop, rival, alice, clerk)
    assert before == []
    assert [change for change in after if change in (edit, sale)] == [edit, sale]


def test_feed_by_time_loses_the_same_change(shop_by_time, rival, alice, clerk):
    """The negative control."""
    before, after, edit, sale = follow_a_late_commit(shop_by_time, rival, alice, clerk)
    assert sale in before
    assert edit not in before + after
