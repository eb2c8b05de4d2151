"""Steps of a bulk transition at once, and killed: each order is changed once."""

import threading
import time
from functools import partial
from http.client import HTTPException

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from orders import stock_ledger
from orders.models import BulkTransition, Order, OrderEvent
from orders.transitions import IllegalTransition
from tests import factories
from tests.servers import Server, at_once


def start_bulk(name, count):
    """Place orders of one piece, and start their transition by a new superuser."""
    product = factories.products.make(quantity_in_stock=count)
    alice = factories.customers.make()
    with transaction.atomic():
        for _ in range(count):
            factories.place(alice, {product: 1})
    root = factories.customers.make(is_staff=True, is_superuser=True)
    job = BulkTransition.objects.select(Order.objects.all(), name=name, by=root)
    job.start("Sold out.")
    return job, product


def finish(job):
    """Make steps in a thread of its own; return the errors."""
    try:
        while job.pending.exists():
            job.step()
    except IllegalTransition as exc:
        return [exc]
    finally:
        connection.close()
    return []


def race(job, steppers=3):
    return sum(at_once(*[partial(finish, job)] * steppers), [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["confirm", "cancel"])
def test_steps_made_at_once_change_each_order_once(name):
    job, product = start_bulk(name, 60)
    assert race(job) == []
    assert job.count() == {"pending": 0, "refused": 0, "changed": 60}
    assert OrderEvent.objects.filter(note="Sold out.").count() == 60
    product.refresh_from_db()
    assert product.quantity_in_stock == (60 if name == "cancel" else 0)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_same_steps_collide(monkeypatch):
    """The negative control: orders are read before the transaction, and not locked."""
    thread, guarded = threading.local(), BulkTransition._make_transitions

    def make_transitions(self, size):
        ids = list(self.pending.values_list("order", flat=True)[:size])
        orders = Order.objects.filter(pk__in=ids, status__in=self.transition.sources)
        thread.orders = ids, list(orders.order_by("pk"))
        return guarded(self, size)

    monkeypatch.setattr(BulkTransition, "_make_transitions", make_transitions)
    monkeypatch.setattr(BulkTransition, "_lock", lambda self, size: thread.orders)
    for _ in range(20):
        job, _ = start_bulk("confirm", 60)
        if race(job):
            return
    raise AssertionError("the steps never met")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no single order")
def test_step_does_not_wait_long_for_an_order_that_somebody_else_changes(alice):
    job, _ = start_bulk("confirm", 3)
    locked, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(Order.objects.select_for_update().order_by("pk")[:1])
            locked.set()
            release.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait(10)
    before = time.monotonic()
    job.step()
    assert time.monotonic() - before < 1
    assert job.count()["pending"] == 3
    release.set()
    thread.join()
    job.step()
    assert job.count()["changed"] == 3


@pytest.fixture
def admin_server(transactional_db):
    """A server that knows the sessions of test clients."""
    server = Server(workers=2, DEBUG="true", SECRET_KEY=settings.SECRET_KEY).start()
    yield server
    server.stop()


def test_killed_server_neither_skips_nor_repeats_an_order(admin_server):
    """Steps are posted while the worker processes are killed, as if the browser went on."""
    job, product = start_bulk("cancel", 80)
    browser = Client()
    browser.force_login(job.by)
    headers = {
        "Cookie": f"sessionid={browser.cookies['sessionid'].value}; csrftoken={'c' * 32}",
        "X-CSRFToken": "c" * 32,
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    path = f"/admin/orders/order/bulk/{job.pk}/step/"
    client, statuses = admin_server.client(), []

    def post_steps():
        while BulkTransition.objects.unfinished(job.by).exists():
            try:
                response = client.call("POST", path, **headers)
                statuses.append(response.status)
                assert response.status in (200, 503)
            except (OSError, HTTPException):
                statuses.append(None)
        connection.close()

    thread = threading.Thread(target=post_steps)
    thread.start()
    while thread.is_alive() and job.count()["changed"] < 20:
        time.sleep(0.01)
    admin_server.kill_workers()
    thread.join()
    assert None in statuses, "the kill met no step"
    assert job.count() == {"pending": 0, "refused": 0, "changed": 80}
    product.refresh_from_db()
    assert product.quantity_in_stock == 80
    assert OrderEvent.objects.count() == 80
    assert not stock_ledger.find_discrepancies().exists()
