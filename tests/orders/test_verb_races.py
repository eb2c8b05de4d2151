"""Simultaneous verbs of one order: what one of them writes, the others find."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from orders import stock_ledger
from orders.items import TooManyReturned
from orders.models import Order
from orders.transitions import IllegalTransition
from products.models import StockAdjustment
from tests import factories
from tests.servers import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 5
ADDRESS = {"street_1": "Rua das Flores 21", "city": "Porto", "country": "Portugal"}


@pytest.fixture
def unlocked(monkeypatch):
    """Take out the guard: a verb does not lock the order, and trusts what was read before."""
    monkeypatch.setattr(Order, "_lock", lambda order: None)


@pytest.fixture
def order_in(alice, clerk):
    def order_in(status, quantity=5):
        order = factories.place(alice, {factories.products.make(): quantity})
        factories.make_transitions(order, factories.PATHS[status], by=clerk)
        return order

    return order_in


def outcome(call):
    """Return the name of the exception that the call raised, or what it returned."""
    try:
        return call()
    except (IllegalTransition, TooManyReturned, IntegrityError) as exc:
        return type(exc).__name__
    finally:
        connection.close()


def race(order, *calls):
    """Make the calls at once, each with its own instance of the order; count their outcomes."""
    instances = [Order.objects.get(pk=order.pk) for _ in calls]
    pairs = zip(calls, instances, strict=True)
    calls = [partial(outcome, partial(call, instance)) for call, instance in pairs]
    outcomes = Counter(at_once(*calls))
    order.refresh_from_db()
    return outcomes


def read_stock(order):
    return order.items.values_list("product__quantity_in_stock", flat=True).get()


def send_back_at_once(order, clerk):
    (item,) = order.items.all()
    send_back = partial(Order.return_items, quantities={item.product_id: 1}, by=clerk)
    outcomes = race(order, *[send_back] * 8)
    item.refresh_from_db()
    booked = StockAdjustment.objects.filter(product=item.product_id, reason="returned").count()
    return outcomes, item.returned, booked


def test_8_returns_of_5_pieces_book_5(order_in, clerk):
    for _ in range(ROUNDS):
        order = order_in("shipped")
        expected = {None: 5, "TooManyReturned": 3}, 5, 5
        assert send_back_at_once(order, clerk) == expected
        assert read_stock(order) == 100
    assert not stock_ledger.find_discrepancies().exists()


def test_without_the_lock_more_are_booked_than_the_order_shows(unlocked, order_in, clerk):
    """The negative control."""
    if connection.vendor == "sqlite":
        pytest.skip("each transaction of SQLite begins by locking all")
    for _ in range(ROUNDS):
        _, returned, booked = send_back_at_once(order_in("shipped"), clerk)
        if booked > returned:
            return
    pytest.fail("never")


def test_returns_of_two_products_in_opposite_orders_are_all_booked(alice, clerk):
    these = factories.products.make(_quantity=2)
    orders = [factories.place(alice, dict.fromkeys(these, 10)) for _ in range(2)]
    for order in orders:
        factories.make_transitions(order, factories.PATHS["shipped"], by=clerk)
    ids = [product.pk for product in these]

    def send_back(order, ids):
        for _ in range(10):
            Order.objects.get(pk=order.pk).return_items(dict.fromkeys(ids, 1), by=clerk)

    pairs = (orders[0], ids), (orders[1], ids[::-1])
    calls = [partial(outcome, partial(send_back, *pair)) for pair in pairs]
    assert at_once(*calls) == [None, None]
    assert not stock_ledger.find_discrepancies().exists()
    for product in these:
        product.refresh_from_db()
        assert product.quantity_in_stock == 100


def test_one_key_books_one_return(order_in, clerk):
    for n in range(ROUNDS):
        order = order_in("shipped")
        (item,) = order.items.all()
        key = {"key": f"{n}", "fingerprint": "f"}
        send_back = partial(Order.return_items, quantities={item.product_id: 1}, by=clerk, **key)
        assert race(order, *[send_back] * 4) == {None: 4}
        item.refresh_from_db()
        assert item.returned == 1


def expire_and(order, verb, clerk):
    Order.objects.filter(pk=order.pk).update(created=timezone.now() - timedelta(days=30))
    return race(order, Order.expire, partial(verb, by=clerk))


@pytest.mark.parametrize("verb", [Order.confirm, Order.cancel])
def test_either_expiry_or_the_clerk_succeeds(order_in, clerk, verb, settings):
    settings.PLACED_EXPIRES = 14
    for _ in range(ROUNDS):
        order = order_in("placed")
        outcomes = expire_and(order, verb, clerk)
        event = order.events.get()
        assert outcomes[event.by is None] == 1
        is_confirmed = order.status == "confirmed"
        assert is_confirmed == (verb == Order.confirm and event.by == clerk)
        assert read_stock(order) == (95 if is_confirmed else 100)


def test_without_the_lock_a_confirmed_order_expires(unlocked, order_in, clerk, settings):
    """The negative control."""
    settings.PLACED_EXPIRES = 14
    order = order_in("placed")
    assert expire_and(order, Order.confirm, clerk) == {True: 1, None: 1}
    assert order.events.count() == 2


def test_expiring_twice_at_once_restocks_once(order_in, settings):
    settings.PLACED_EXPIRES = 14
    orders = [order_in("placed") for _ in range(ROUNDS)]
    Order.objects.update(created=timezone.now() - timedelta(days=30))
    counts = at_once(*[partial(outcome, Order.objects.cancel_expired)] * 3)
    assert sum(counts) == ROUNDS
    assert {read_stock(order) for order in orders} == {100}
    assert not stock_ledger.find_discrepancies().exists()


@pytest.mark.parametrize("status", ["shipped", "delivered"])
def test_undoing_twice_at_once_undoes_once(order_in, clerk, status):
    action = {"shipped": "ship", "delivered": "deliver"}[status]
    for _ in range(ROUNDS):
        order = order_in(status)
        outcomes = race(order, *[partial(Order.undo, by=clerk, action=action)] * 3)
        assert outcomes == {None: 1, "IllegalTransition": 2}
        assert order.events.filter(action="undo").count() == 1


def test_without_the_lock_it_is_undone_twice(unlocked, order_in, clerk):
    """The negative control."""
    order = order_in("shipped")
    assert race(order, *[partial(Order.undo, by=clerk)] * 3) == {None: 3}
    assert order.events.filter(action="undo").count() == 3


def test_either_undo_or_return_succeeds(order_in, clerk):
    """Both would let the order be cancelled, and its pieces be in stock twice."""
    for _ in range(ROUNDS):
        order = order_in("shipped")
        (item,) = order.items.all()
        send_back = partial(Order.return_items, quantities={item.product_id: 5}, by=clerk)
        outcomes = race(order, partial(Order.undo, by=clerk), send_back)
        assert outcomes == {None: 1, "IllegalTransition": 1}
        item.refresh_from_db()
        assert (order.status, item.returned) in (("confirmed", 0), ("shipped", 5))


def test_either_correction_comes_before_shipping_or_it_fails(order_in, clerk):
    for _ in range(ROUNDS):
        order = order_in("confirmed")
        correct = partial(Order.correct_address, address=ADDRESS, by=clerk)
        outcomes = race(order, partial(Order.ship, by=clerk), correct)
        is_corrected = order.shipping_address["city"] == "Porto"
        assert outcomes == ({None: 2} if is_corrected else {None: 1, "IllegalTransition": 1})
        actions = [event.action for event in order.events.all()]
        assert actions == ["confirm", *["correct_address"] * is_corrected, "ship"]


def test_without_the_lock_the_address_of_a_parcel_is_corrected(unlocked, order_in, clerk):
    """The negative control."""
    order = order_in("confirmed")
    instance = Order.objects.get(pk=order.pk)
    order.ship(by=clerk)
    instance.correct_address(ADDRESS, by=clerk)
    assert instance.events.last().action == "correct_address"
