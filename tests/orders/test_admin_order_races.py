"""Two clerks press a button of the same order at the same time."""

import threading
import time

import pytest
from django.db import connection, connections, transaction
from django.test import Client

from orders.admin_forms import OrderForm
from orders.managers import OrderQuerySet
from orders.models import Order
from tests import factories

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shipped(transactional_db):
    clerk = factories.customers.make(is_staff=True)
    order = factories.place(factories.customers.make(), {factories.products.make(): 3})
    order.confirm(by=clerk)
    order.ship(by=clerk)
    return order


def press_at_once(order):
    """Have two clerks book a return of one piece at once; return the statuses, sorted."""
    path = f"/admin/orders/order/{order.pk}/move/return/"
    clerks = factories.customers.make(is_staff=True, is_superuser=True, _quantity=2)
    browsers, statuses = [Client(), Client()], []
    for browser, clerk in zip(browsers, clerks, strict=True):
        browser.force_login(clerk)
    page = browsers[0].get(path)
    form = {
        "seen": page.context["form"]["seen"].value(),
        f"quantity_{order.items.get().product_id}": "1",
        "damaged": "no",
    }

    def press(browser):
        statuses.append(browser.post(path, form).status_code)
        connections.close_all()

    threads = [threading.Thread(target=press, args=[browser]) for browser in browsers]
    with transaction.atomic():  # until both wait for the order
        Order.objects.filter(pk=order.pk).update(currency=order.currency)
        for thread in threads:
            thread.start()
        time.sleep(1)
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_one_of_two_returns_is_booked(shipped):
    assert press_at_once(shipped) == [302, 409]
    assert shipped.items.get().returned == 1


def test_without_the_comparison_both_are_booked(shipped, monkeypatch):
    """A negative control."""
    monkeypatch.setattr(OrderForm, "is_outdated", False)
    assert press_at_once(shipped) == [302, 302]
    assert shipped.items.get().returned == 2


@pytest.mark.skipif(connection.vendor == "sqlite", reason="all writers of SQLite share one lock")
def test_without_the_lock_both_are_booked(shipped, monkeypatch):
    """A negative control."""
    monkeypatch.setattr(OrderQuerySet, "select_for_update", lambda orders, **_: orders)
    assert press_at_once(shipped) == [302, 302]
