"""Orders that nobody confirmed within PLACED_EXPIRES days are cancelled."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders import stock_ledger
from orders.models import Order
from tests import factories


@pytest.fixture(autouse=True)
def period(settings):
    settings.PLACED_EXPIRES = 14


@pytest.fixture(autouse=True)
def books_add_up(db):
    yield
    assert not stock_ledger.find_discrepancies().exists()


def cancel_expired_orders():
    out = StringIO()
    call_command("cancel_expired_orders", stdout=out)
    return out.getvalue()


def set_age(age, *orders):
    ids = [order.pk for order in orders]
    Order.objects.filter(pk__in=ids).update(created=timezone.now() - age)


def test_expired_order_is_cancelled_by_the_shop(as_alice, order_in, product):
    order = order_in("placed")
    set_age(timedelta(days=14, seconds=1), order)
    assert cancel_expired_orders() == "1 order cancelled.\n"
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    data = as_alice.get(f"/api/orders/{order.pk}/").json()
    assert data["status"] == "cancelled"
    assert data["events"][-1] == {
        "action": "cancel",
        "status": "cancelled",
        "at": data["modified"],
        "by": None,
        "note": "Not confirmed within 14 days.",
        "shipping_address": None,
    }
    assert cancel_expired_orders() == "0 orders cancelled.\n"


def test_stock_history_names_nobody(as_clerk, order_in, product):
    set_age(timedelta(days=15), order_in("placed"))
    cancel_expired_orders()
    rows = as_clerk.get(f"/api/products/{product.pk}/stock-history/").json()["results"]
    assert (rows[0]["reason"], rows[0]["delta"], rows[0]["by"]) == ("cancelled", 3, None)


def test_order_within_the_period_stays(order_in):
    order = order_in("placed")
    set_age(timedelta(days=13, hours=23), order)
    assert Order.objects.cancel_expired() == 0
    order.refresh_from_db()
    assert order.status == "placed"


@pytest.mark.parametrize("status", ["confirmed", "shipped", "delivered", "cancelled"])
def test_order_that_somebody_moved_stays(order_in, status):
    order = order_in(status)
    set_age(timedelta(days=400), order)
    assert Order.objects.cancel_expired() == 0
    assert order.expire() is False
    order.refresh_from_db()
    assert order.status == status


def test_without_a_period_orders_wait_for_ever(order_in, settings):
    settings.PLACED_EXPIRES = 0
    set_age(timedelta(days=9999), order_in("placed"))
    assert cancel_expired_orders() == "0 orders cancelled.\n"


def test_reason_counts_one_day(order_in, settings):
    settings.PLACED_EXPIRES = 1
    order = order_in("placed")
    set_age(timedelta(days=2), order)
    cancel_expired_orders()
    assert order.events.get().note == "Not confirmed within 1 day."


def test_oldest_are_cancelled_first_up_to_the_limit(alice, product):
    orders = [factories.place(alice, {product: 1}) for _ in range(5)]
    set_age(timedelta(days=20), *orders)
    assert Order.objects.cancel_expired(limit=2) == 2
    statuses = Order.objects.order_by("pk").values_list("status", flat=True)
    assert [*statuses] == ["cancelled"] * 2 + ["placed"] * 3


def test_command_goes_on_after_a_batch(alice, product):
    product.adjust_stock(5, reason="delivery", by=None)
    orders = [factories.place(alice, {product: 1}) for _ in range(105)]
    set_age(timedelta(days=20), *orders)
    assert cancel_expired_orders() == "105 orders cancelled.\n"


def test_order_of_a_closed_account_is_anonymized(alice, order_in):
    order = order_in("placed")
    set_age(timedelta(days=20), order)
    alice.close()
    Order.objects.cancel_expired()
    order.refresh_from_db()
    assert order.shipping_address["city"] == ""
