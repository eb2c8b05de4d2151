"""`undo`: a shipping or a delivery is taken back, by staff and within a day."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders import stock_ledger
from orders.models import OrderEvent
from orders.transitions import IllegalTransition, TransitionNotAllowed
from tests import factories

EARLIER = {"shipped": "confirmed", "delivered": "shipped"}


@pytest.fixture(autouse=True)
def books_add_up(db):
    yield
    assert not stock_ledger.find_discrepancies().exists()


def undo(client, order, **body):
    return client.post(f"/api/orders/{order.pk}/undo/", body)


def read_outcome(response):
    data = response.json()
    return response.status_code, data.get("code") or data["status"]


def set_times(order, ago):
    OrderEvent.objects.filter(order=order).update(at=timezone.now() - ago)


@pytest.mark.parametrize("status", factories.PATHS)
def test_only_a_shipping_or_a_delivery_is_undone(as_clerk, order_in, status):
    order = order_in(status)
    outcome = (200, EARLIER[status]) if status in EARLIER else (409, "illegal_transition")
    assert read_outcome(undo(as_clerk, order, note="The wrong order.")) == outcome
    order.refresh_from_db()
    assert order.status == EARLIER.get(status, status)


@pytest.mark.parametrize("status", EARLIER)
def test_event_says_what_was_undone_by_whom_and_why(as_clerk, clerk, order_in, status):
    order = order_in(status)
    data = undo(as_clerk, order, note="The wrong order.").json()
    assert data["events"][-1] == {
        "action": "undo",
        "status": EARLIER[status],
        "at": data["modified"],
        "by": clerk.pk,
        "note": "The wrong order.",
        "shipping_address": None,
    }


@pytest.mark.parametrize("status", EARLIER)
@pytest.mark.parametrize(
    ("ago", "is_possible"),
    [(timedelta(hours=23, minutes=59), True), (timedelta(hours=24, seconds=1), False)],
)
def test_a_day_later_it_is_too_late(as_clerk, order_in, status, ago, is_possible):
    order = order_in(status)
    set_times(order, ago)
    assert ("undo" in as_clerk.get(f"/api/orders/{order.pk}/").json()["actions"]) == is_possible
    assert undo(as_clerk, order).status_code == (200 if is_possible else 409)


def test_the_day_begins_with_the_event_that_is_undone(clerk, order_in):
    """The order was shipped two days ago, and delivered by mistake today."""
    order = order_in("shipped")
    set_times(order, timedelta(days=2))
    order.deliver(by=clerk)
    order.undo(by=clerk)
    assert order.status == "shipped"
    assert not order.can_undo
    with pytest.raises(IllegalTransition):
        order.undo(by=clerk)


def test_events_of_earlier_releases_are_undone_too(clerk, order_in):
    order = order_in("delivered")
    order.events.update(action="")
    order.undo(by=clerk)
    assert order.status == "shipped"


@pytest.mark.parametrize("status", factories.PATHS)
def test_customers_undo_nothing(as_alice, as_bob, alice, order_in, status):
    order = order_in(status)
    assert undo(as_alice, order).status_code == 403
    assert undo(as_bob, order).status_code == 404
    assert "undo" not in as_alice.get(f"/api/orders/{order.pk}/").json()["actions"]
    with pytest.raises(TransitionNotAllowed):
        order.undo(by=alice)


def test_parcel_of_an_undone_shipping_is_forgotten(as_clerk, clerk, order_in):
    order = order_in("confirmed")
    order.ship(by=clerk, carrier="DHL", tracking_number="0034")
    data = undo(as_clerk, order).json()
    assert (data["carrier"], data["tracking_number"], data["tracking_url"]) == ("", "", "")


def test_parcel_of_an_undone_delivery_is_still_under_way(as_clerk, clerk, order_in):
    order = order_in("confirmed")
    order.ship(by=clerk, carrier="DHL", tracking_number="0034")
    order.deliver(by=clerk)
    assert undo(as_clerk, order).json()["tracking_number"] == "0034"


def test_request_that_is_sent_twice_undoes_one_of_them(as_clerk, order_in):
    order = order_in("delivered")
    assert read_outcome(undo(as_clerk, order, action="deliver")) == (200, "shipped")
    assert read_outcome(undo(as_clerk, order, action="deliver")) == (409, "illegal_transition")
    assert read_outcome(undo(as_clerk, order, action="ship")) == (200, "confirmed")


def test_without_an_action_the_last_one_is_undone_each_time(as_clerk, order_in):
    order = order_in("delivered")
    statuses = [undo(as_clerk, order).json().get("status") for _ in range(3)]
    assert statuses == ["shipped", "confirmed", 409]


@pytest.mark.parametrize("action", ["cancel", "undo", "", None, 1])
def test_other_actions_are_rejected(as_clerk, order_in, action):
    response = undo(as_clerk, order_in("shipped"), action=action)
    assert response.json()["errors"][0]["pointer"] == "/action"


def test_undone_order_goes_on_and_can_be_cancelled(clerk, order_in, product):
    order = order_in("shipped")
    order.undo(by=clerk)
    order.ship(by=clerk, tracking_number="second")
    order.undo(by=clerk)
    order.cancel(by=clerk)
    product.refresh_from_db()
    assert (order.status, product.quantity_in_stock) == ("cancelled", 100)
    assert [event.action for event in order.event_list] == [
        *("place", "confirm", "ship", "undo", "ship", "undo", "cancel")
    ]


def test_order_of_which_something_came_back_stays_shipped(as_clerk, clerk, order_in, product):
    """It could be cancelled otherwise, and its pieces were in stock twice."""
    order = order_in("delivered")
    order.return_items({product.pk: 1}, by=clerk)
    assert read_outcome(undo(as_clerk, order)) == (200, "shipped")
    assert read_outcome(undo(as_clerk, order)) == (409, "illegal_transition")
    actions = as_clerk.get(f"/api/orders/{order.pk}/").json()["actions"]
    assert actions == ["deliver", "return"]


def test_delivery_of_a_closed_account_is_not_undone(as_clerk, alice, clerk, order_in):
    """Its address is erased: nobody could say where the parcel goes."""
    order = order_in("shipped")
    alice.close()
    order.deliver(by=clerk)
    assert not order.can_undo
    assert read_outcome(undo(as_clerk, order)) == (409, "illegal_transition")


def test_shipping_of_a_closed_account_is_undone(alice, clerk, order_in):
    order = order_in("shipped")
    alice.close()
    order.undo(by=clerk)
    assert (order.status, order.shipping_address["city"]) == ("confirmed", "Aarhus")
    order.cancel(by=clerk)
    assert order.shipping_address["city"] == ""
