"""`modified` is the time after a change got its locks, so that `modified_after` misses none."""

import threading
from datetime import datetime

import pytest
from django.db import connection, transaction

from orders.models import Order
from products.models import Product
from tests import factories

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no row locks"),
]


def run_behind_lock(lock, waiting, meanwhile):
    """Run `waiting` in a thread while `lock` is held; return the results of both calls."""
    results = []

    def run():
        try:
            results.append(waiting())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        lock()
        thread.start()
        wait_until_blocked()
        between = meanwhile()
        transaction.set_rollback(True)
    thread.join()
    return results[0], between


def wait_until_blocked():
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nothing waits")


def read_clock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def lock_row(model, pk):
    return lambda: model.objects.select_for_update().get(pk=pk)


def test_order_that_waited_is_stamped_after_those_placed_meanwhile(alice, product):
    order, earlier = run_behind_lock(
        lock_row(Product, product.pk), lambda: factories.place(alice, {product: 1}), read_clock
    )
    assert order.modified == order.created > earlier
    order.refresh_from_db()
    assert order.modified == order.created > earlier
    product.refresh_from_db()
    assert product.modified > earlier


def test_order_that_waited_for_the_account_is_stamped_afterwards(alice, product):
    order, earlier = run_behind_lock(
        lock_row(type(alice), alice.pk), lambda: factories.place(alice, {product: 1}), read_clock
    )
    assert order.created > earlier


def test_transition_that_waited_is_stamped_afterwards(alice, clerk, product):
    order = factories.place(alice, {product: 1})
    _, earlier = run_behind_lock(
        lock_row(Order, order.pk), lambda: order.confirm(by=clerk), read_clock
    )
    order.refresh_from_db()
    assert order.modified == order.events.get().at > earlier


def test_adjustment_that_waited_is_stamped_afterwards(clerk, product):
    _, earlier = run_behind_lock(
        lock_row(Product, product.pk),
        lambda: Product.objects.get(pk=product.pk).adjust_stock(1, reason="delivery", by=clerk),
        read_clock,
    )
    product.refresh_from_db()
    assert product.modified > earlier


def test_edit_that_waited_is_stamped_afterwards(product):
    _, earlier = run_behind_lock(
        lock_row(Product, product.pk),
        lambda: Product.objects.get(pk=product.pk).update_fields(name="New"),
        read_clock,
    )
    product.refresh_from_db()
    assert product.modified > earlier


def test_poller_with_the_newest_time_as_watermark_gets_the_order_that_waited(
    as_alice, alice, bob, product
):
    """The reproduction of a lost order: P waits, Q is placed, the poller sees Q, P commits."""
    other = factories.products.make()
    waited, seen = run_behind_lock(
        lock_row(Product, product.pk),
        lambda: factories.place(alice, {product: 1}),
        lambda: place_elsewhere(bob, other),
    )
    watermark = seen.isoformat().replace("+00:00", "Z")
    listed = as_alice.get("/api/orders/", {"modified_after": watermark}).json()["results"]
    assert [order["id"] for order in listed] == [waited.pk]


def place_elsewhere(customer, product):
    """Place an order in a thread, since this one is in a transaction; return its `modified`."""
    placed = []

    def run():
        placed.append(factories.place(customer, {product: 1}).modified)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert isinstance(placed[0], datetime)
    return placed[0]
