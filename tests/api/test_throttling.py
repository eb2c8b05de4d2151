"""Rate limits, and the limit on slow requests."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import RedisError

from customers import rate_limits, throttles
from customers.rate_limits import FixedWindowLimit
from tests import factories
from tests.servers import Server

ORDER = "/api/orders/"
# Seconds: no window of this length ends while the tests run.
LONG = 1_000_000_000


@pytest.fixture
def rates(settings):
    """`rates(customer=(3, 60))` sets some rates for this test, which starts with no counts."""
    cache.clear()

    def set_rates(**changes):
        settings.RATES = settings.RATES | changes

    return set_rates


def statuses(send, count):
    return [send().status_code for _ in range(count)]


def test_anonymous_clients_are_limited_by_address(api, rates):
    rates(anonymous=(3, LONG))
    assert statuses(lambda: api.get("/api/products/"), 5) == [200, 200, 200, 429, 429]
    response = api.get("/api/products/")
    assert response.json()["code"] == "throttled"
    assert 1 <= int(response["Retry-After"]) <= LONG
    assert api.get("/api/products/", REMOTE_ADDR="10.0.0.9").status_code == 200


def test_customers_have_separate_limits(as_alice, as_bob, api, rates):
    rates(customer=(3, LONG))
    assert statuses(lambda: as_alice.get("/api/customers/me/"), 4) == [200, 200, 200, 429]
    assert as_bob.get("/api/customers/me/").status_code == 200
    assert api.get("/api/products/").status_code == 200


def test_orders_have_their_own_limit(as_alice, rates, product):
    rates(order=(2, LONG))
    order = {"items": [{"product": product.pk, "quantity": 1}]}
    assert statuses(lambda: as_alice.post(ORDER, order), 3) == [201, 201, 429]
    assert as_alice.get(ORDER).status_code == 200
    assert as_alice.post("/api/orders/quote/", order).status_code == 200


def register(client, number):
    data = {"username": f"dora{number}", "email": f"dora{number}@example.com"}
    return client.post("/api/customers/", data | {"password": factories.PASSWORD}).status_code


def test_registration_is_limited_by_address_also_for_customers(api, as_alice, as_bob, rates):
    rates(account=(2, LONG))
    clients = (api, as_alice, as_bob)
    assert [register(client, number) for number, client in enumerate(clients)] == [201, 201, 429]


def test_failed_log_ins_are_limited_by_address_too(api, as_alice, rates):
    rates(anonymous=(3, LONG))
    stranger = {"headers": {"Authorization": "Token 0123456789"}}
    send = lambda: api.get("/api/products/", **stranger)  # noqa: E731
    assert statuses(send, 5) == [401, 401, 401, 429, 429]
    assert as_alice.get("/api/products/").status_code == 200


def test_email_addresses_cannot_be_enumerated_by_changing_ones_own(as_alice, bob, rates):
    rates(account=(2, LONG))
    guess = lambda: as_alice.patch("/api/customers/me/", {"email": bob.email})  # noqa: E731
    assert statuses(guess, 3) == [400, 400, 429]
    assert as_alice.patch("/api/customers/me/", {"city": "Ribe"}).status_code == 200


def test_exports_are_limited(as_alice, rates):
    rates(account=(1, LONG))
    assert statuses(lambda: as_alice.get("/api/customers/me/export/"), 2) == [200, 429]


def test_staff_are_not_limited(as_clerk, rates, product):
    rates(customer=(1, LONG), order=(1, LONG), account=(1, LONG))
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


def test_counting_requests_makes_no_queries(api, rates):
    rates(anonymous=(600, LONG))
    with CaptureQueriesContext(connection) as queries:
        assert statuses(lambda: api.get("/api/problems/none/"), 3) == [404] * 3
        assert statuses(lambda: api.get("/api/"), 100) == [200] * 100
    assert not [query["sql"] for query in queries if "customers_counter" in query["sql"]]


def test_no_rate_is_no_limit(api, rates):
    rates(anonymous=None)
    assert statuses(lambda: api.get("/api/products/"), 20) == [200] * 20


def test_client_over_the_limit_stays_limited_while_many_others_call(rates):
    cache.clear()
    limit = FixedWindowLimit("anonymous", 1, LONG)
    key = limit.key("10.0.0.1")
    assert [limit.increment(key) for _ in range(2)] == [1, 2]
    for number in range(20_000):
        limit.increment(limit.key(number))
    assert limit.increment(key) == 3


def test_password_changes_share_the_limit_of_registrations(api, as_alice, alice, rates):
    rates(account=(1, LONG))
    assert register(api, 0) == 201
    body = {"current_password": factories.PASSWORD, "new_password": "my-bee-loud-glade"}
    assert as_alice.post("/api/customers/me/password/", body).status_code == 429


def allowed_requests(**server_options):
    """Return how many of 300 requests from one address a new server allows, at 100 a day."""
    server = Server(ANONYMOUS_RATE="100/1d", **server_options).start()
    try:
        with ThreadPoolExecutor(8) as pool:
            send = partial(server.client().call, "GET", "/api/products/")
            responses = list(pool.map(lambda _: send(), range(300)))
    finally:
        server.stop()
    return [response.status for response in responses].count(200)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("workers", [1, 4])
def test_processes_count_together_in_redis(workers, redis_url):
    assert allowed_requests(workers=workers, CACHE_URL=redis_url) == 100


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("workers", [1, 2])
def test_without_redis_each_process_counts_for_itself(workers):
    assert 100 <= allowed_requests(workers=workers) <= 100 * workers


def read_limits(response):
    """Return {name: the parameters} of RateLimit-Policy and RateLimit together."""
    items = response["RateLimit-Policy"].split(", ") + response["RateLimit"].split(", ")
    limits = {}
    for item in items:
        name, *parameters = item.split(";")
        pairs = (parameter.split("=") for parameter in parameters)
        limits.setdefault(name.strip('"'), {}).update((key, int(value)) for key, value in pairs)
    return limits


def test_responses_report_the_limit(api, rates):
    rates(anonymous=(3, LONG))
    responses = [api.get("/api/products/") for _ in range(5)]
    limits = [read_limits(response)["anonymous"] for response in responses]
    assert [limit["r"] for limit in limits] == [2, 1, 0, 0, 0]
    assert {(limit["q"], limit["w"]) for limit in limits} == {(3, LONG)}
    assert all(1 <= limit["t"] <= LONG for limit in limits)
    assert abs(limits[-1]["t"] - int(responses[-1]["Retry-After"])) <= 1
    not_modified = {"If-None-Match": "*"}
    rates(anonymous=(9, LONG))
    assert read_limits(api.get("/api/products/", headers=not_modified))["anonymous"]["q"] == 9


def test_request_with_a_limit_of_its_own_reports_both(as_alice, rates, product):
    rates(customer=(9, 60), order=(2, 60))
    order = {"items": [{"product": product.pk, "quantity": 1}]}
    response = as_alice.post(ORDER, order)
    assert response["RateLimit-Policy"] == '"customer";q=9;w=60, "order";q=2;w=60'
    assert re.fullmatch('"customer";r=8;t=[0-9]+, "order";r=1;t=[0-9]+', response["RateLimit"])


def test_failed_log_in_reports_the_limit_of_the_address(api, rates):
    rates(anonymous=(3, LONG))
    response = api.get("/api/products/", headers={"Authorization": "Token 0123456789"})
    assert (response.status_code, read_limits(response)["anonymous"]["r"]) == (401, 2)


def test_unlimited_client_gets_no_limit(api, as_clerk, rates, monkeypatch):
    rates(customer=(9, 60), anonymous=None)
    for client in (api, as_clerk):
        assert "RateLimit" not in client.get("/api/products/")
        assert "RateLimit-Policy" not in client.get("/api/products/")
    rates(anonymous=(9, 60))
    monkeypatch.setattr(FixedWindowLimit, "paused_until", time.monotonic() + 60)  # no cache
    assert "RateLimit" not in api.get("/api/products/")


# --- Slow requests --------------------------------------------------------------------------------


@pytest.fixture
def slow_requests(settings, monkeypatch):
    """`slow_requests(2)` adds two slow requests of the test client's address, in other threads."""
    settings.BLOCKING_THREADS = 4
    in_progress = throttles.RequestsInProgress()
    monkeypatch.setattr(throttles, "requests_in_progress", in_progress)

    def set_count(count, seconds=throttles.SLOW_REQUEST + 0.1):
        caller = ("anonymous", "127.0.0.1")
        in_progress.begun[caller] = {-n: time.monotonic() - seconds for n in range(count)}

    return set_count


def test_client_with_slow_requests_in_all_threads_but_one_is_throttled(api, alice, slow_requests):
    slow_requests(2)
    assert api.get("/api/products/").status_code == 200
    slow_requests(3)
    response = api.get("/api/products/")
    assert (response.status_code, response["Retry-After"]) == (429, "1")
    assert api.get("/api/products/", REMOTE_ADDR="10.0.0.9").status_code == 200
    assert api.as_user(alice).get("/api/customers/me/").status_code == 200


def test_quick_requests_are_not_throttled(api, slow_requests):
    slow_requests(50, seconds=0)
    assert api.get("/api/products/").status_code == 200


def test_finished_request_is_no_longer_in_progress(api, slow_requests):
    for path in ("/api/products/", "/api/products/?page=x", "/api/orders/"):
        api.get(path)
    assert not throttles.requests_in_progress.begun


# --- Without the cache ----------------------------------------------------------------------------


class UnavailableCache:
    """A cache that loses each key at once, or raises an error."""

    def __init__(self, error=None):
        self.error, self.calls = error, 0

    def incr(self, key, delta):
        self.calls += 1
        raise self.error or ValueError

    def add(self, key, value, timeout):
        return False


def test_key_lost_between_two_calls_is_not_an_error(monkeypatch):
    monkeypatch.setattr(rate_limits, "cache", UnavailableCache())
    assert FixedWindowLimit("test", 1, 60).increment("key") == 1


def test_unavailable_cache_is_not_called_for_a_while(monkeypatch):
    unavailable = UnavailableCache(RedisError())
    monkeypatch.setattr(rate_limits, "cache", unavailable)
    monkeypatch.setattr(FixedWindowLimit, "paused_until", 0)
    for _ in range(5):
        with pytest.raises(rate_limits.CacheAway):
            FixedWindowLimit("test", 1, 60).increment("key")
    assert unavailable.calls == 1
    monkeypatch.setattr(FixedWindowLimit, "paused_until", time.monotonic())
    with pytest.raises(rate_limits.CacheAway):
        FixedWindowLimit("test", 1, 60).increment("key")
    assert unavailable.calls == 2
