"""Carrier and tracking number of a parcel, and the carrier's page about it."""

import pytest

from orders.carriers import tracking_url


def ship(client, order, **body):
    return client.post(f"/api/orders/{order.pk}/ship/", body)


def test_customer_sees_where_the_parcel_is(as_clerk, as_alice, order_in, settings):
    settings.CARRIERS = {"Post": "https://post.example/track?id={number}&lang=en"}
    order = order_in("confirmed")
    data = ship(as_clerk, order, carrier="Post", tracking_number="00 34/7", note="Two parcels.")
    url = "https://post.example/track?id=00%2034%2F7&lang=en"
    parcel = {"carrier": "Post", "tracking_number": "00 34/7", "tracking_url": url}
    assert data.json() == data.json() | parcel
    seen = as_alice.get(f"/api/orders/{order.pk}/").json()
    assert seen == seen | parcel
    assert seen["events"][-1]["note"] == "Two parcels."


@pytest.mark.parametrize("body", [{}, {"carrier": "DHL"}, {"tracking_number": "1"}])
def test_carrier_and_number_are_optional(as_clerk, order_in, body):
    data = ship(as_clerk, order_in("confirmed"), **body).json()
    assert data == data | {"carrier": "", "tracking_number": "", "tracking_url": ""} | body


def test_carrier_that_the_shop_does_not_know_has_no_page(as_clerk, order_in):
    data = ship(as_clerk, order_in("confirmed"), carrier="By bicycle", tracking_number="7").json()
    assert (data["carrier"], data["tracking_url"]) == ("By bicycle", "")


@pytest.mark.parametrize(
    ("carrier", "number", "expected"),
    [
        ("POST", "1", "https://post.example/1"),
        ("post", "1", "https://post.example/1"),
        ("Post", "", ""),
        ("", "1", ""),
        ("Post", "?a=b#c", "https://post.example/%3Fa%3Db%23c"),
        ("Post", "../{number}", "https://post.example/..%2F%7Bnumber%7D"),
        ("Post", "é\"'<", "https://post.example/%C3%A9%22%27%3C"),
    ],
)
def test_number_is_quoted_in_the_page_of_the_carrier(settings, carrier, number, expected):
    settings.CARRIERS = {" Post": "https://post.example/{number}"}
    assert tracking_url(carrier, number) == expected


def test_well_known_carriers_have_pages(settings):
    assert {"DHL", "UPS", "FedEx", "DPD", "GLS"} <= settings.CARRIERS.keys()
    for carrier in settings.CARRIERS:
        assert tracking_url(carrier, "1Z").count("1Z") == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"carrier": "x" * 41}, "/carrier"),
        ({"tracking_number": "x" * 101}, "/tracking_number"),
        ({"tracking_number": 12}, "/tracking_number"),
        ({"tracking_number": "1\n2"}, "/tracking_number"),
        ({"tracking_url": "https://evil.example"}, "/tracking_url"),
        ({"tracking": "1"}, "/tracking"),
    ],
)
def test_bad_parcel_is_pointed_at(as_clerk, order_in, body, pointer):
    order = order_in("confirmed")
    assert ship(as_clerk, order, **body).json()["errors"][0]["pointer"] == pointer
    order.refresh_from_db()
    assert order.status == "confirmed"


@pytest.mark.parametrize("verb", ["confirm", "deliver", "cancel"])
def test_other_transitions_take_no_parcel(as_clerk, order_in, verb):
    body = {"tracking_number": "1"}
    response = as_clerk.post(f"/api/orders/{order_in('placed').pk}/{verb}/", body)
    assert response.json()["errors"][0]["code"] == "unknown_field"
