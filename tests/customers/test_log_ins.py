"""Failed log-ins are counted together over the token endpoint, Basic and the admin."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.auth_backends import VerifiedPasswordCache, verified_passwords
from customers.login_limits import KNOWN_NETWORKS, LoginLimit
from customers.models import Counter, Customer, hashing
from customers.rate_limits import network
from tests import factories
from tests.servers import Server

WRONG = "a-guess-at-it"
LONG = 1_000_000_000  # seconds: no window of that length ends while the tests run


class CountingHasher(MD5PasswordHasher):
    """Count the hashes, each of which takes a fifth of a second of CPU time in production."""

    algorithm = "counting"
    count = 0

    def encode(self, password, salt):
        type(self).count += 1
        return super().encode(password, salt)


@pytest.fixture
def count_hashes(settings):
    """A function that returns how many passwords have been hashed."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher", *settings.PASSWORD_HASHERS]
    return lambda: CountingHasher.count


@pytest.fixture
def alice(count_hashes, alice):
    alice.change_password(factories.PASSWORD)
    return alice


@pytest.fixture
def limits(settings):
    """Allow three failures per account, and eight per address."""
    settings.RATES = settings.RATES | {"log_in_account": (3, LONG), "log_in_address": (8, LONG)}


def obtain(api, username, password, **extra):
    return api.post("/api/obtain-token/", {"username": username, "password": password}, **extra)


def basic(api, username, password, **extra):
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    return api.get("/api/products/", headers={"Authorization": f"Basic {credentials}"}, **extra)


def test_fourth_wrong_password_is_refused_before_it_is_hashed(api, alice, limits, count_hashes):
    for _ in range(3):
        assert obtain(api, "alice", WRONG).status_code == 400
    before = count_hashes()
    response = obtain(api, "alice", WRONG)
    assert response.status_code == 429
    assert response.json()["code"] == "too_many_failures"
    assert 1 <= int(response["Retry-After"]) <= LONG
    assert obtain(api, "alice", factories.PASSWORD).status_code == 429  # right or wrong
    assert count_hashes() == before


def test_failures_of_all_log_ins_are_counted_together(api, alice, limits, client):
    assert obtain(api, "alice", WRONG).status_code == 400
    assert basic(api, "ALICE", WRONG).status_code == 401
    client.post("/admin/login/", {"username": "Alice", "password": WRONG})
    assert obtain(api, "alice", WRONG).status_code == 429
    assert basic(api, "alice", WRONG).status_code == 429


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@example.com", "Alice@Example.COM"])
def test_user_name_or_address_in_any_case_opens_every_log_in(name, api, alice, client):
    alice.is_staff = True
    alice.save()
    assert obtain(api, name, factories.PASSWORD).status_code == 200
    assert basic(api, name, factories.PASSWORD).status_code == 200
    form = {"username": name, "password": factories.PASSWORD}
    assert client.post("/admin/login/", form).status_code == 302


def test_log_in_page_takes_an_address_of_any_length(client, db):
    page = client.get("/admin/login/").content.decode()
    assert "User name or e-mail address:" in page
    assert 'maxlength="254"' in page


def test_failures_by_name_and_by_address_are_counted_together(api, alice, limits):
    for login in ("alice", "alice@example.com", "ALICE@example.com"):
        assert obtain(api, login, WRONG).status_code == 400
    for login in ("alice", "alice@example.com"):
        assert obtain(api, login, factories.PASSWORD).status_code == 429


def test_network_known_by_name_is_known_by_address(api, alice, attack_statuses):
    response = obtain(api, "alice@example.com", factories.PASSWORD, REMOTE_ADDR=OWNER)
    assert response.status_code == 200


@pytest.fixture
def eve(alice):
    """A customer of an earlier release, whose user name is Alice's address."""
    eve = factories.customers.make(username="alice@example.com", email="eve@example.com")
    eve.change_password("my-bee-loud-glade")
    return eve


def test_name_that_is_the_address_of_another_opens_nothing_of_theirs(api, alice, eve):
    token = obtain(api, "alice@example.com", "my-bee-loud-glade").json()["token"]
    me = api.get("/api/customers/me/", headers={"Authorization": f"Token {token}"}).json()
    assert me["id"] == eve.pk
    assert obtain(api, "alice@example.com", factories.PASSWORD).status_code == 400
    assert obtain(api, "alice", factories.PASSWORD).status_code == 200


def test_address_that_is_the_name_of_another_does_not_count_for_its_owner(api, alice, eve, limits):
    for _ in range(4):
        obtain(api, "alice@example.com", WRONG)
    assert obtain(api, "alice", factories.PASSWORD).status_code == 200


def test_accounts_without_an_address_are_not_opened_by_an_empty_one(api, count_hashes, db):
    root = factories.customers.make(username="root", email="")
    root.change_password(factories.PASSWORD)
    assert basic(api, "", factories.PASSWORD).status_code == 401
    assert authenticate(None, username="", password=factories.PASSWORD) is None


def test_failed_password_changes_are_limited(api, alice, limits, as_alice):
    body = {"current_password": WRONG, "new_password": "my-bee-loud-glade"}
    for _ in range(3):
        assert as_alice.post("/api/customers/me/password/", body).status_code == 400
    assert as_alice.post("/api/customers/me/password/", body).status_code == 429


def test_other_accounts_and_tokens_are_not_limited(api, alice, bob, limits, as_alice):
    bob.change_password(factories.PASSWORD)
    for _ in range(4):
        obtain(api, "alice", WRONG)
    assert obtain(api, "bob", factories.PASSWORD).status_code == 200
    assert as_alice.get("/api/customers/me/").status_code == 200


def test_limit_of_an_address_covers_all_accounts_but_no_other_address(api, alice, limits):
    for number in range(8):
        assert obtain(api, f"name{number}", WRONG).status_code == 400
    assert obtain(api, "alice", factories.PASSWORD).status_code == 429
    assert obtain(api, "alice", factories.PASSWORD, REMOTE_ADDR="10.0.0.7").status_code == 200


def test_refused_address_does_not_count_against_accounts(api, alice, limits):
    for number in range(20):
        obtain(api, "alice" if number > 8 else f"name{number}", WRONG)
    assert obtain(api, "alice", factories.PASSWORD, REMOTE_ADDR="10.0.0.7").status_code == 200


def test_right_password_is_not_counted_as_a_failure(api, alice, limits, count_hashes):
    for _ in range(20):
        verified_passwords.expiry.clear()
        assert obtain(api, "alice", factories.PASSWORD).status_code == 200
    failures = Counter.objects.exclude(key__in=known_networks("ALICE", "127.0.0.1"))
    assert set(failures.values_list("count", flat=True)) == {0}


def known_networks(name, client):
    return [KNOWN_NETWORKS.key(f"{name}\n{client}")]


OWNER, STRANGERS = "10.1.0.1", [f"10.2.0.{number}" for number in range(1, 9)]


@pytest.fixture
def attack_statuses(api, alice, settings):
    """Log the owner in, then fail from many addresses; return the statuses of the failures."""
    settings.RATES = settings.RATES | {"log_in_account": (3, LONG), "log_in_everywhere": (10, LONG)}
    assert obtain(api, "alice", factories.PASSWORD, REMOTE_ADDR=OWNER).status_code == 200
    verified_passwords.expiry.clear()
    return [
        obtain(api, "alice", WRONG, REMOTE_ADDR=stranger).status_code
        for stranger in STRANGERS
        for _ in range(4)
    ]


def test_strangers_are_limited_together(attack_statuses):
    assert attack_statuses.count(400) == 10


def test_owner_gets_in_from_a_known_network_whatever_strangers_do(api, alice, attack_statuses):
    new_address = {"REMOTE_ADDR": "10.3.0.1"}
    assert obtain(api, "alice", factories.PASSWORD, **new_address).status_code == 429
    assert obtain(api, "alice", factories.PASSWORD, REMOTE_ADDR=OWNER).status_code == 200


def test_network_stays_known_for_90_days_from_any_moment(api, alice, settings, monkeypatch):
    settings.RATES = settings.RATES | {"log_in_everywhere": (1, LONG)}
    window = 90 * 86_400
    last_second = (time.time() // window + 1) * window - 1
    for moment in (last_second, last_second + 2, last_second + window):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        verified_passwords.expiry.clear()
        for stranger in STRANGERS[:2]:
            obtain(api, "alice", WRONG, REMOTE_ADDR=stranger)
        if moment == last_second:
            Counter.objects.all().delete()
        assert obtain(api, "alice", factories.PASSWORD, REMOTE_ADDR=OWNER).status_code == 200


def test_owner_can_change_the_password_with_a_token_during_an_attack(as_alice, attack_statuses):
    body = {"current_password": factories.PASSWORD, "new_password": "my-bee-loud-glade"}
    for _ in range(4):  # a stolen token, used from another address
        wrong = body | {"current_password": WRONG}
        as_alice.post("/api/customers/me/password/", wrong, REMOTE_ADDR=STRANGERS[0])
    response = as_alice.post("/api/customers/me/password/", body, REMOTE_ADDR="10.3.0.1")
    assert response.status_code == 204


def test_failures_of_an_account_are_counted_per_network(api, alice, limits):
    for _ in range(4):
        obtain(api, "alice", WRONG, REMOTE_ADDR=STRANGERS[0])
    assert obtain(api, "alice", factories.PASSWORD, REMOTE_ADDR=STRANGERS[0]).status_code == 429
    assert obtain(api, "alice", factories.PASSWORD, REMOTE_ADDR=STRANGERS[1]).status_code == 200


def test_failures_are_forgotten_when_the_window_ends(api, alice, limits, monkeypatch):
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    for _ in range(4):
        obtain(api, "alice", WRONG)
    monkeypatch.setattr("time.time", lambda: now + LONG)
    assert obtain(api, "alice", WRONG).status_code == 400
    assert obtain(api, "alice", factories.PASSWORD).status_code == 200


@pytest.mark.parametrize("scope", ["account", "address", "everywhere"])
def test_pauses_between_further_attempts_grow(api, alice, settings, monkeypatch, scope):
    settings.RATES = settings.RATES | {f"log_in_{scope}": (3, LONG)}
    clock = [2.5 * LONG]
    monkeypatch.setattr("time.time", lambda: clock[0])
    pauses = []
    for _ in range(3):
        assert obtain(api, "alice", WRONG).status_code == 400
    for _ in range(5):
        for _ in range(3):  # asking in the pause makes it no longer, and is not hashed
            response = obtain(api, "alice", WRONG)
            assert response.status_code == 429
        pauses.append(int(response["Retry-After"]))
        clock[0] += pauses[-1] - 1
        assert obtain(api, "alice", factories.PASSWORD)["Retry-After"] == "1"
        clock[0] += 1
        assert obtain(api, "alice", WRONG).status_code == 400
    assert pauses == [15, 30, 60, 120, 240]
    clock[0] += 480
    assert obtain(api, "alice", factories.PASSWORD).status_code == 200


def test_pause_ends_with_the_window(api, alice, settings, monkeypatch):
    settings.RATES = settings.RATES | {"log_in_account": (3, 900)}
    monkeypatch.setattr("time.time", lambda: 900 * 2_000_000 + 890)
    for _ in range(4):
        response = obtain(api, "alice", WRONG)
    assert 10 <= int(response["Retry-After"]) <= 11


def test_one_of_many_attempts_at_the_end_of_a_pause_is_made(alice, settings, monkeypatch):
    limit = LoginLimit("log-in account", 3, LONG)
    clock = [2.5 * LONG]
    monkeypatch.setattr("time.time", lambda: clock[0])
    assert limit.pause("alice", 1) == (15, True)
    clock[0] += 15
    assert [limit.pause("alice", 1)[0] for _ in range(4)] == [0, 30, 30, 30]


def test_expired_counters_are_deleted(api, alice, limits):
    Counter.objects.create(key="old", count=3, expires=time.time() - 1)
    for number in range(200):
        obtain(api, f"name{number}", WRONG, REMOTE_ADDR=f"10.0.0.{number}")
        if not Counter.objects.filter(key="old").exists():
            break
    assert not Counter.objects.filter(key="old").exists()


def test_keys_of_counters_do_not_reveal_names(api, alice, limits):
    obtain(api, "alice", WRONG)
    assert {len(key) for key in Counter.objects.values_list("key", flat=True)} == {64}


def test_known_and_unknown_and_closed_names_cost_one_hash_each(api, alice, bob, count_hashes):
    bob.close()
    costs = []
    for name in (*("alice", "alice@example.com"), *("nobody", "nobody@example.com"), bob.username):
        before = count_hashes()
        with CaptureQueriesContext(connection) as queries:
            obtain(api, name, WRONG)
        # Some attempts delete expired counters.
        reads = [query for query in queries if query["sql"].startswith("SELECT")]
        costs.append((count_hashes() - before, len(reads)))
    assert costs == [(1, costs[0][1])] * 5


@pytest.mark.parametrize("name", ["alice", "alice@example.com", "nobody", "nobody@example.com"])
def test_unknown_name_is_refused_like_a_known_one(api, alice, limits, name):
    responses = [obtain(api, name, WRONG) for _ in range(5)]
    assert [response.status_code for response in responses] == [400, 400, 400, 429, 429]
    (body,) = {str(dict(response.json(), request_id="")) for response in responses[:3]}
    assert body == str(dict(obtain(api, "zoe", WRONG, REMOTE_ADDR=OWNER).json(), request_id=""))


def test_basic_hashes_once_for_many_requests(api, alice, count_hashes):
    basic(api, "alice", factories.PASSWORD)
    before = count_hashes()
    for login in ["alice", "alice@example.com"] * 5:
        assert basic(api, login, factories.PASSWORD).status_code == 200
    assert count_hashes() == before


def test_remembered_password_does_not_lift_the_limit_of_other_addresses(api, alice, limits):
    assert basic(api, "alice", factories.PASSWORD).status_code == 200
    other_address = {"REMOTE_ADDR": "10.0.0.7"}
    for _ in range(3):
        assert basic(api, "alice", WRONG, **other_address).status_code == 401
    assert basic(api, "alice", factories.PASSWORD, **other_address).status_code == 429
    assert basic(api, "alice", factories.PASSWORD).status_code == 200


def test_remembered_password_ends_with_the_password(api, alice):
    assert basic(api, "alice", factories.PASSWORD).status_code == 200
    alice.change_password("my-bee-loud-glade")
    assert basic(api, "alice", factories.PASSWORD).status_code == 401


def test_remembered_password_ends_with_the_account(api, alice):
    assert basic(api, "alice", factories.PASSWORD).status_code == 200
    alice.is_active = False
    alice.save()
    assert basic(api, "alice", factories.PASSWORD).status_code == 401


def test_password_is_remembered_for_five_minutes(api, alice, count_hashes, monkeypatch):
    basic(api, "alice", factories.PASSWORD)
    before, later = count_hashes(), time.monotonic() + verified_passwords.SECONDS
    monkeypatch.setattr("time.monotonic", lambda: later)
    assert basic(api, "alice", factories.PASSWORD).status_code == 200
    assert count_hashes() == before + 1


def test_wrong_password_is_never_remembered(api, alice, count_hashes):
    before = count_hashes()
    for _ in range(5):
        assert basic(api, "alice", WRONG).status_code == 401
    assert count_hashes() == before + 5


def test_password_cache_size_is_bounded_with_many_threads(alice):
    passwords = VerifiedPasswordCache()
    passwords.MAX_SIZE = 10
    with ThreadPoolExecutor(8) as threads:
        add = lambda number: passwords.add(alice, f"password {number}", "10.0.0.1")  # noqa: E731
        list(threads.map(add, range(1_000)))
    assert 1 <= len(passwords.expiry) <= 10


def test_client_behind_a_proxy_is_counted_by_its_address(api, alice, limits, settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    for number in range(9):
        forged = f"10.9.9.{number}, 10.0.0.1"  # the last address is the one our proxy added
        obtain(api, f"name{number}", WRONG, HTTP_X_FORWARDED_FOR=forged)
    extra = {"HTTP_X_FORWARDED_FOR": "10.0.0.1"}
    assert obtain(api, "alice", factories.PASSWORD, **extra).status_code == 429
    extra = {"HTTP_X_FORWARDED_FOR": "10.0.0.1, 10.0.0.2"}
    assert obtain(api, "alice", factories.PASSWORD, **extra).status_code == 200


def test_forwarded_address_is_ignored_without_a_proxy(api, alice, limits):
    for number in range(9):
        obtain(api, f"name{number}", WRONG, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}")
    extra = {"HTTP_X_FORWARDED_FOR": "10.0.0.99"}
    assert obtain(api, "alice", factories.PASSWORD, **extra).status_code == 429


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_network_is_an_ipv4_address_or_64_bits_of_ipv6(address, expected):
    assert network(address) == expected


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_port_is_stripped_from_the_forwarded_address(api, settings, value, address):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    response = api.get("/healthz", HTTP_X_FORWARDED_FOR=f"10.0.0.1, {value}")
    assert response.wsgi_request.META["REMOTE_ADDR"] == address


@pytest.mark.parametrize("tail", ["\0", "\0\0\0", "\0x"])
def test_right_password_followed_by_nulls_is_wrong(api, alice, tail, monkeypatch):
    passwords = []
    monkeypatch.setattr(
        Customer,
        "check_password",
        lambda self, password: passwords.append(password) or True,
    )
    credentials = base64.b64encode(f"alice:{factories.PASSWORD}{tail}".encode()).decode()
    response = api.get("/api/customers/me/", headers={"Authorization": f"Basic {credentials}"})
    assert response.status_code == 401
    form = {"username": "alice", "password": f"{factories.PASSWORD}{tail}"}
    assert api.post("/api/obtain-token/", form).status_code == 400
    assert authenticate(None, **form) is None
    assert not passwords


def test_password_is_refused_unhashed_while_other_threads_hash(api, client, alice):
    form = {"username": "alice", "password": factories.PASSWORD}
    with ExitStack() as stack:
        for _ in range(settings.BLOCKING_THREADS - 1):
            stack.enter_context(hashing.acquire())
        response = api.post("/api/obtain-token/", form)
        assert (response.status_code, response["Retry-After"]) == (503, "1")
        page = client.post("/admin/login/", form)
        assert (page.status_code, page["Retry-After"]) == (503, "1")
        new = {"username": "dora", "email": "dora@example.com", "password": factories.PASSWORD}
        assert api.post("/api/customers/", new).status_code == 503
        change = {"current_password": factories.PASSWORD, "new_password": "my-bee-loud-glade"}
        assert api.as_user(alice).post("/api/customers/me/password/", change).status_code == 503
    assert not Counter.objects.exists()


# --- Against real servers -----------------------------------------------------------------------


@pytest.fixture(params=["database", "cache"])
def store(request):
    """The environment of a server that counts failures in the database, or in a cache."""
    return {"CACHE_URL": request.getfixturevalue("redis_url")} if request.param == "cache" else {}


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.django_db(transaction=True)
def test_limit_holds_across_processes_and_clients(workers, store, alice):
    server = Server(
        workers=workers, LOG_IN_ACCOUNT_RATE="5/1d", LOG_IN_ADDRESS_RATE="1000/1d", **store
    )
    server.start()
    try:
        credentials = base64.b64encode(f"alice:{WRONG}".encode()).decode()

        def guess(_):
            while True:  # retry after a 503: too many threads are hashing
                call = server.client().call
                response = call("GET", "/api/products/", Authorization=f"Basic {credentials}")
                if response.status != 503:
                    return response

        with ThreadPoolExecutor(16) as callers:
            responses = list(callers.map(guess, range(100)))
    finally:
        server.stop()
    codes = [response.body["code"] for response in responses]
    assert codes.count("authentication_failed") == 5
    assert codes.count("too_many_failures") == 95
    if not store:
        assert Counter.objects.filter(count__gte=100).count() == 2


@pytest.mark.django_db(transaction=True)
def test_without_the_cache_only_log_ins_are_counted_in_the_database(alice, tmp_path):
    env = {"CACHE_URL": "redis://127.0.0.1:1/0", "ANONYMOUS_RATE": "2/1d"}
    env["LOG_IN_ACCOUNT_RATE"] = "2/1d"
    with (tmp_path / "err").open("wb") as err:
        server = Server(workers=1, log=err, **env).start()
        try:
            form = {"username": "alice", "password": WRONG}
            responses = [server.client().call("POST", "/api/obtain-token", form) for _ in range(3)]
            assert [response.status for response in responses] == [400, 400, 429]
            statuses = [server.client().call("GET", "/api/products/").status for _ in range(5)]
            assert statuses == [200] * 5
            assert server.client(alice).call("GET", "/api/customers/me/").status == 200
        finally:
            server.stop()
    assert (tmp_path / "err").read_text().count("The cache does not respond: ConnectionError") == 1
