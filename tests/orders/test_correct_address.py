"""`correct_address`: staff correct where an order goes, until it is shipped."""

import pytest

from orders import addresses
from orders.addresses import IncompleteAddress
from orders.models import Order
from orders.transitions import TransitionNotAllowed
from tests import factories

ADDRESS = {"street_1": "Rua das Flores 21", "city": "Porto", "country": "Portugal"}
WHOLE_ADDRESS = {
    "name": "Rosa Vogt",
    "contact_number": "+351 22 5550",
    "street_1": "Rua das Flores 21",
    "street_2": "2.º",
    "city": "Porto",
    "state": "Norte",
    "postal_code": "4050-265",
    "country": "Portugal",
}
POSSIBLE = ("placed", "confirmed")


def correct(client, order, address=ADDRESS, **body):
    path = f"/api/orders/{order.pk}/correct-address/"
    return client.post(path, {"shipping_address": address} | body)


@pytest.mark.parametrize("status", factories.PATHS)
def test_address_is_corrected_until_the_order_is_shipped(as_clerk, order_in, status):
    order = order_in(status)
    old = order.postal_address
    response = correct(as_clerk, order, WHOLE_ADDRESS)
    order.refresh_from_db()
    if status in POSSIBLE:
        assert response.json()["shipping_address"] == order.postal_address == WHOLE_ADDRESS
        assert response.json()["status"] == status
    else:
        assert (response.status_code, response.json()["code"]) == (409, "illegal_transition")
        assert order.postal_address == old
        assert not order.events.filter(action="correct_address").exists()


@pytest.mark.parametrize("status", factories.PATHS)
def test_customers_correct_nothing(as_alice, as_bob, alice, order_in, status):
    order = order_in(status)
    assert correct(as_alice, order).status_code == 403
    assert correct(as_bob, order).status_code == 404
    with pytest.raises(TransitionNotAllowed):
        order.correct_address(ADDRESS, by=alice)


@pytest.mark.parametrize("status", POSSIBLE)
def test_event_keeps_the_old_address(as_clerk, as_alice, clerk, order_in, status):
    order = order_in(status)
    old = order.postal_address
    data = correct(as_clerk, order, note="The customer phoned.").json()
    assert data["events"][-1] == {
        "action": "correct_address",
        "status": status,
        "at": data["modified"],
        "by": clerk.pk,
        "note": "The customer phoned.",
        "shipping_address": old,
    }
    assert [*data["events"][-1]["shipping_address"]] == [*addresses.PARTS]
    assert as_alice.get(f"/api/orders/{order.pk}/").json()["events"] == data["events"]


def test_name_and_number_stay_unless_they_are_sent(as_clerk, order_in):
    order = order_in("placed")
    Order.objects.update(shipping_address=WHOLE_ADDRESS)
    data = correct(as_clerk, order, ADDRESS | {"city": "Braga"}).json()
    empty = {"street_2": "", "state": "", "postal_code": ""}
    assert data["shipping_address"] == WHOLE_ADDRESS | empty | {"city": "Braga"}


def test_order_to_collect_is_sent_to_the_customer(as_clerk, alice, order_in):
    order = order_in("confirmed")
    Order.objects.update(shipping_address=None)
    data = correct(as_clerk, order).json()
    assert data["shipping_address"]["name"] == alice.get_full_name()
    assert data["events"][-1]["shipping_address"] is None


def test_same_address_again_changes_nothing(as_clerk, order_in):
    order = order_in("placed")
    first, second = (correct(as_clerk, order).json() for _ in range(2))
    assert first == second
    assert order.events.count() == 1


def test_each_correction_is_an_event(clerk, order_in):
    order = order_in("placed")
    for city in ("Ribe", "Porto"):
        order.correct_address(ADDRESS | {"city": city}, by=clerk)
    cities = [event.shipping_address["city"] for event in order.events.all()]
    assert cities == ["Aarhus", "Ribe"]
    assert [event.action for event in order.event_list] == ["place", *["correct_address"] * 2]


@pytest.mark.parametrize("part", ["street_1", "city", "country"])
def test_incomplete_address_is_pointed_at(as_clerk, clerk, order_in, part):
    order = order_in("placed")
    for address in (ADDRESS | {part: " "}, {k: v for k, v in ADDRESS.items() if k != part}):
        (error,) = correct(as_clerk, order, address).json()["errors"]
        assert error["pointer"] == f"/shipping_address/{part}"
        assert error["code"] == "incomplete_address"
    with pytest.raises(IncompleteAddress):
        order.correct_address(ADDRESS | {part: ""}, by=clerk)
    assert not order.events.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/shipping_address"),
        ({"shipping_address": None}, "/shipping_address"),
        ({"shipping_address": ADDRESS | {"zip": "1"}}, "/shipping_address/zip"),
        ({"shipping_address": ADDRESS, "address": "x"}, "/address"),
        ({"shipping_address": ADDRESS, "note": "x" * 501}, "/note"),
    ],
)
def test_bad_body_is_pointed_at(as_clerk, order_in, body, pointer):
    response = as_clerk.post(f"/api/orders/{order_in('placed').pk}/correct-address/", body)
    assert response.json()["errors"][0]["pointer"] == pointer


def test_replayed_order_goes_where_it_was_placed_to(as_alice, clerk, product):
    body, headers = {"items": [{"product": product.pk, "quantity": 1}]}, {"Idempotency-Key": "k"}
    first = as_alice.post("/api/orders/", body, headers=headers).json()
    order = Order.objects.get()
    for city in ("Ribe", "Porto"):
        order.correct_address(ADDRESS | {"city": city}, by=clerk)
    order.confirm(by=clerk)
    order.ship(by=clerk, carrier="DHL", tracking_number="1")
    order.return_items({product.pk: 1}, by=clerk)
    assert as_alice.post("/api/orders/", body, headers=headers).json() == first
