"""How often callers may ask."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories

ORDER = "/api/orders/"


@pytest.fixture
def rates(settings):
    """`rates(customer=(3, 60))` sets some of them for this test."""

    def set_rates(**changes):
        settings.RATES = settings.RATES | changes

    return set_rates


def statuses(ask, times):
    return [ask().status_code for _ in range(times)]


def test_anonymous_callers_are_limited_by_address(api, rates):
    rates(anonymous=(3, 61))
    assert statuses(lambda: api.get("/api/products/"), 5) == [200, 200, 200, 429, 429]
    refusal = api.get("/api/products/")
    assert refusal.json()["code"] == "throttled"
    assert 1 <= int(refusal["Retry-After"]) <= 61
    assert api.get("/api/products/", REMOTE_ADDR="10.0.0.9").status_code == 200


def test_customers_are_limited_each_by_themselves(as_alice, as_bob, api, rates):
    rates(customer=(3, 62))
    assert statuses(lambda: as_alice.get("/api/customers/me/"), 4) == [200, 200, 200, 429]
    assert as_bob.get("/api/customers/me/").status_code == 200
    assert api.get("/api/products/").status_code == 200


def test_orders_have_a_limit_of_their_own(as_alice, rates, product):
    rates(order=(2, 63))
    order = {"items": [{"product": product.pk, "quantity": 1}]}
    assert statuses(lambda: as_alice.post(ORDER, order), 3) == [201, 201, 429]
    assert as_alice.get(ORDER).status_code == 200
    assert as_alice.post("/api/orders/quote/", order).status_code == 200


def register(client, number):
    form = {"username": f"dora{number}", "email": f"dora{number}@example.com"}
    return client.post("/api/customers/", form | {"password": factories.PASSWORD}).status_code


def test_registration_is_limited_by_address_also_for_who_is_logged_in(api, as_alice, as_bob, rates):
    rates(registration=(2, 64))
    clients = (api, as_alice, as_bob)
    assert [register(client, number) for number, client in enumerate(clients)] == [201, 201, 429]


def test_staff_are_not_limited(as_clerk, rates, product):
    rates(customer=(1, 65), order=(1, 65), registration=(1, 65))
    assert [register(as_clerk, number) for number in range(3)] == [201, 201, 201]
    order = {"items": [{"product": product.pk, "quantity": 1}]}
    assert statuses(lambda: as_clerk.post(ORDER, order), 3) == [201, 201, 201]


def test_limit_ends_with_its_window(api, rates, monkeypatch):
    now = 1_790_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    rates(anonymous=(1, 66))
    assert statuses(lambda: api.get("/api/products/"), 2) == [200, 429]
    wait = int(api.get("/api/products/")["Retry-After"])
    monkeypatch.setattr("time.time", lambda: now + wait)
    assert api.get("/api/products/").status_code == 200


def test_few_requests_cost_a_query_for_being_counted(api, rates):
    rates(anonymous=(600, 67))
    with CaptureQueriesContext(connection) as queries:
        assert statuses(lambda: api.get("/api/products/"), 100) == [200] * 100
    counted = [query for query in queries if "customers_counter" in query["sql"]]
    assert 3 <= len(counted) <= 5


def test_processes_count_together(rates, product):
    """Two meters are what two processes have."""
    from customers.limits import Limit
    from shopply.api.throttling import Meter

    limit = Limit("together", 100, 3600)
    meters = [Meter(limit), Meter(limit)]
    allowed = sum(meters[number % 2].allows("someone") for number in range(400))
    # Each may be ahead of what it reported by one lot.
    assert 100 - 5 <= allowed <= 100 + 5
    assert meters[0].allows("someone else")
