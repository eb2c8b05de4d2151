"""Every move, from every state, by every role."""

import pytest

from orders.models import Order
from orders.transitions import TRANSITIONS, IllegalTransition, Status, TransitionNotAllowed
from tests import factories

PATHS = {
    "placed": [],
    "confirmed": ["confirm"],
    "shipped": ["confirm", "ship"],
    "delivered": ["confirm", "ship", "deliver"],
    "cancelled": ["cancel"],
}
LEGAL = {
    ("placed", "confirm"): "confirmed",
    ("confirmed", "ship"): "shipped",
    ("shipped", "deliver"): "delivered",
    ("placed", "cancel"): "cancelled",
    ("confirmed", "cancel"): "cancelled",
}


@pytest.fixture
def order_in(alice, clerk, product):
    def order_in(status):
        order = factories.place(alice, {product: 3})
        for move in PATHS[status]:
            getattr(order, move)(by=clerk)
        assert order.status == status
        return order

    return order_in


def post(client, order, move, **body):
    return client.post(f"/api/orders/{order.pk}/{move}/", body)


@pytest.mark.parametrize("move", TRANSITIONS)
@pytest.mark.parametrize("status", PATHS)
def test_staff_make_the_legal_moves_and_no_other(as_clerk, order_in, status, move):
    order = order_in(status)
    answer = post(as_clerk, order, move)
    order.refresh_from_db()
    if (status, move) in LEGAL:
        assert answer.status_code == 200
        assert answer.json()["status"] == order.status == LEGAL[status, move]
    elif (status, move) == ("cancelled", "cancel"):
        assert (answer.status_code, order.status) == (200, "cancelled")
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")
        assert order.status == status


@pytest.mark.parametrize("status", PATHS)
def test_owner_cancels_until_it_is_shipped(as_alice, order_in, status):
    order = order_in(status)
    expected = 409 if status in ("shipped", "delivered") else 200
    assert post(as_alice, order, "cancel").status_code == expected


@pytest.mark.parametrize("move", ["confirm", "ship", "deliver"])
@pytest.mark.parametrize("status", PATHS)
def test_owner_makes_no_move_of_the_staff(as_alice, order_in, status, move):
    order = order_in(status)
    answer = post(as_alice, order, move)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    order.refresh_from_db()
    assert order.status == status


@pytest.mark.parametrize("move", TRANSITIONS)
def test_stranger_finds_no_order_to_move(as_bob, order_in, move):
    order = order_in("placed")
    assert post(as_bob, order, move).status_code == 404


@pytest.mark.parametrize("move", TRANSITIONS)
def test_stranger_is_refused_below_the_api_too(bob, order_in, move):
    with pytest.raises(TransitionNotAllowed):
        getattr(order_in("placed"), move)(by=bob)


@pytest.mark.parametrize(
    ("status", "of_staff", "of_owner"),
    [
        ("placed", ["confirm", "cancel"], ["cancel"]),
        ("confirmed", ["ship", "cancel"], ["cancel"]),
        ("shipped", ["deliver"], []),
        ("delivered", [], []),
        ("cancelled", [], []),
    ],
)
def test_actions_are_the_moves_that_would_succeed(
    as_alice, as_clerk, order_in, status, of_staff, of_owner
):
    path = f"/api/orders/{order_in(status).pk}/"
    assert as_clerk.get(path).json()["actions"] == of_staff
    assert as_alice.get(path).json()["actions"] == of_owner


def test_every_move_is_an_event_with_who_when_and_why(as_alice, as_clerk, alice, clerk, product):
    items = [{"product": product.pk, "quantity": 1}]
    order = Order(pk=as_alice.post("/api/orders/", {"items": items}).json()["id"])
    post(as_clerk, order, "confirm")
    told = post(as_clerk, order, "ship", note="Parcel 00370712345").json()
    assert [(event["status"], event["by"], event["note"]) for event in told["events"]] == [
        ("placed", alice.pk, ""),
        ("confirmed", clerk.pk, ""),
        ("shipped", clerk.pk, "Parcel 00370712345"),
    ]
    assert told["events"][0]["at"] == told["created"]
    assert told["events"][-1]["at"] == told["modified"]


def test_refused_move_leaves_no_event(as_clerk, order_in):
    order = order_in("placed")
    post(as_clerk, order, "ship")
    assert not order.events.exists()


def test_cancelling_puts_the_stock_back_once(as_alice, as_clerk, order_in, product):
    order = order_in("confirmed")
    for client in (as_alice, as_alice, as_clerk):
        assert post(client, order, "cancel").json()["status"] == "cancelled"
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    assert order.events.filter(status=Status.CANCELLED).count() == 1


def test_stock_of_a_retired_product_comes_back_too(as_alice, order_in, product):
    order = order_in("placed")
    product.update_fields(is_active=False)
    assert post(as_alice, order, "cancel").status_code == 200
    product.refresh_from_db()
    assert (product.quantity_in_stock, product.is_active) == (100, False)


def test_move_on_an_order_read_earlier_sees_what_became_of_it(order_in, clerk):
    order = order_in("placed")
    stale = Order.objects.get(pk=order.pk)
    order.cancel(by=clerk)
    with pytest.raises(IllegalTransition) as told:
        stale.confirm(by=clerk)
    assert told.value.status == stale.status == "cancelled"


@pytest.mark.parametrize("note", ["x" * 501, None, 7.5e400, ["a"], "a\0b"])
def test_bad_note_is_pointed_at(as_alice, order_in, note):
    order = order_in("placed")
    if note == float("inf"):
        answer = as_alice.post(
            f"/api/orders/{order.pk}/cancel/", b'{"note": [1e999]}', content_type="application/json"
        )
    else:
        answer = post(as_alice, order, "cancel", note=note)
    assert answer.json()["errors"][0]["pointer"] == "/note"
    order.refresh_from_db()
    assert order.status == "placed"
