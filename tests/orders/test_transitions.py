"""Every transition, from every status, by every role."""

import pytest

from orders.models import Order
from orders.transitions import TRANSITIONS, IllegalTransition, Status, TransitionNotAllowed
from tests import factories

LEGAL = {
    ("placed", "confirm"): "confirmed",
    ("confirmed", "ship"): "shipped",
    ("shipped", "deliver"): "delivered",
    ("placed", "cancel"): "cancelled",
    ("confirmed", "cancel"): "cancelled",
}


def post(client, order, transition, **body):
    return client.post(f"/api/orders/{order.pk}/{transition}/", body)


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("status", factories.PATHS)
def test_staff_make_legal_transitions_only(as_clerk, order_in, status, transition):
    order = order_in(status)
    response = post(as_clerk, order, transition)
    order.refresh_from_db()
    if (status, transition) in LEGAL:
        assert response.status_code == 200
        assert response.json()["status"] == order.status == LEGAL[status, transition]
    elif (status, transition) == ("cancelled", "cancel"):
        assert (response.status_code, order.status) == (200, "cancelled")
    else:
        assert (response.status_code, response.json()["code"]) == (409, "illegal_transition")
        assert order.status == status


@pytest.mark.parametrize("status", factories.PATHS)
def test_owner_can_cancel_until_the_order_is_shipped(as_alice, order_in, status):
    order = order_in(status)
    expected = 409 if status in ("shipped", "delivered") else 200
    assert post(as_alice, order, "cancel").status_code == expected


@pytest.mark.parametrize("transition", ["confirm", "ship", "deliver"])
@pytest.mark.parametrize("status", factories.PATHS)
def test_owner_cannot_make_staff_transitions(as_alice, order_in, status, transition):
    order = order_in(status)
    response = post(as_alice, order, transition)
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    order.refresh_from_db()
    assert order.status == status


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_another_customer_gets_a_404(as_bob, order_in, transition):
    order = order_in("placed")
    assert post(as_bob, order, transition).status_code == 404


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_another_customer_is_rejected_below_the_api_too(bob, order_in, transition):
    with pytest.raises(TransitionNotAllowed):
        getattr(order_in("placed"), transition)(by=bob)


@pytest.mark.parametrize(
    ("status", "staff_actions", "owner_actions"),
    [
        ("placed", ["confirm", "cancel", "correct_address"], ["cancel"]),
        ("confirmed", ["ship", "cancel", "correct_address"], ["cancel"]),
        ("shipped", ["deliver", "undo", "return"], []),
        ("delivered", ["undo", "return"], []),
        ("cancelled", [], []),
    ],
)
def test_actions_are_what_would_succeed(
    as_alice, as_clerk, order_in, status, staff_actions, owner_actions
):
    path = f"/api/orders/{order_in(status).pk}/"
    assert as_clerk.get(path).json()["actions"] == staff_actions
    assert as_alice.get(path).json()["actions"] == owner_actions


def test_every_transition_is_an_event_with_user_time_and_note(
    as_alice, as_clerk, alice, clerk, product
):
    items = [{"product": product.pk, "quantity": 1}]
    order = Order(pk=as_alice.post("/api/orders/", {"items": items}).json()["id"])
    post(as_clerk, order, "confirm")
    data = post(as_clerk, order, "ship", note="Parcel 00370712345").json()
    assert [(event["status"], event["by"], event["note"]) for event in data["events"]] == [
        ("placed", alice.pk, ""),
        ("confirmed", clerk.pk, ""),
        ("shipped", clerk.pk, "Parcel 00370712345"),
    ]
    assert data["events"][0]["at"] == data["created"]
    assert data["events"][-1]["at"] == data["modified"]


def test_rejected_transition_leaves_no_event(as_clerk, order_in):
    order = order_in("placed")
    post(as_clerk, order, "ship")
    assert not order.events.exists()


def test_cancelling_restocks_once(as_alice, as_clerk, order_in, product):
    order = order_in("confirmed")
    for client in (as_alice, as_alice, as_clerk):
        assert post(client, order, "cancel").json()["status"] == "cancelled"
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    assert order.events.filter(status=Status.CANCELLED).count() == 1


def test_cancelling_restocks_a_retired_product_too(as_alice, order_in, product):
    order = order_in("placed")
    product.update_fields(is_active=False)
    assert post(as_alice, order, "cancel").status_code == 200
    product.refresh_from_db()
    assert (product.quantity_in_stock, product.is_active) == (100, False)


def test_transition_of_a_stale_order_sees_its_current_status(order_in, clerk):
    order = order_in("placed")
    stale = Order.objects.get(pk=order.pk)
    order.cancel(by=clerk)
    with pytest.raises(IllegalTransition) as exc_info:
        stale.confirm(by=clerk)
    assert exc_info.value.status == stale.status == "cancelled"


@pytest.mark.parametrize("note", ["x" * 501, None, 7.5e400, ["a"], "a\0b"])
def test_bad_note_is_pointed_at(as_alice, order_in, note):
    order = order_in("placed")
    if note == float("inf"):
        response = as_alice.post(
            f"/api/orders/{order.pk}/cancel/", b'{"note": [1e999]}', content_type="application/json"
        )
    else:
        response = post(as_alice, order, "cancel", note=note)
    assert response.json()["errors"][0]["pointer"] == "/note"
    order.refresh_from_db()
    assert order.status == "placed"
