"""Who is calling is known again while nothing is written, and looked up when something was."""

import threading
from functools import partial

import pytest
from rest_framework.authtoken.models import Token

from customers.models import Customer
from products import catalogue
from tests import factories
from tests.servers import Server, at_once

ME = "/api/customers/me/"


def rows_out_of_date(server, alice):
    """How many of sixteen clients that ask all the time were told an older row than the shop's.

    Theirs are the turns of a worker that answer many requests each.
    """
    told, out_of_date, done, client = [0], [], threading.Event(), server.client(alice)

    def read(path):
        while not done.is_set():
            at_least, body = told[0], client.call("GET", path).body
            row = body if path == ME else body[0]
            if int(row["postal_code"]) < at_least:
                out_of_date.append(row["postal_code"])

    def write():
        for number in range(1, 20):
            assert client.call("PATCH", ME, {"postal_code": str(number)}).status == 200
            told[0] = number
        done.set()

    alice.revise(postal_code="0")
    at_once(write, *[partial(read, path) for path in (ME, "/api/customers/") * 8])
    return len(out_of_date)


def opened_by_revoked_tokens(server, alice):
    """How many requests a token opened that was revoked before they were sent."""
    opened = []

    def read(client, revoked, done):
        while not done.is_set():
            was_revoked = revoked.is_set()
            if client.call("GET", ME).status == 200 and was_revoked:
                opened.append(client)

    def revoke(client, revoked, done):
        for _ in range(5):
            client.call("GET", ME)
        assert client.call("POST", "/api/revoke-token/").status == 204
        revoked.set()
        for _ in range(5):
            client.call("GET", ME)
        done.set()

    for _ in range(3):
        shared = server.client(alice), threading.Event(), threading.Event()
        at_once(partial(revoke, *shared), *[partial(read, *shared)] * 8)
    return len(opened)


ATTACKS = [rows_out_of_date, opened_by_revoked_tokens]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_taken_from_a_row_that_was_changed(attack, shop, alice):
    assert attack(shop, alice) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("module", ["tests.products.stale", "tests.products.endless"])
def test_a_server_that_minds_no_writes_is_seen_to_take_it(module, alice):
    server = Server(module=module, workers=2).start()
    try:
        for attack in ATTACKS:
            assert attack(server, alice) > 0
    finally:
        server.stop()


@pytest.fixture
def key(transactional_db, alice):
    """Her token; nothing is left in memory from before."""
    catalogue.memory.forget()
    catalogue.memory.turn = None
    return Token.objects.create(user=alice).key


def test_who_calls_is_looked_up_once_in_a_turn(key, alice, api):
    given = {"HTTP_AUTHORIZATION": f"Token {key}", "shopply.turn": 1}
    assert api.get(ME, **given).json()["city"] == alice.city
    Customer.objects.filter(pk=alice.pk).update(city="Ribe")
    assert api.get(ME, **given).json()["city"] == alice.city  # this one had come before
    assert api.get(ME, **given | {"shopply.turn": 2}).json()["city"] == "Ribe"


def test_who_comes_to_write_is_looked_up_at_that_moment(key, api):
    given = {"HTTP_AUTHORIZATION": f"Token {key}", "shopply.turn": 1}
    assert api.get(ME, **given).status_code == 200
    Token.objects.all().delete()
    assert api.patch(ME, {"city": "Ribe"}, **given).status_code == 401


def test_callers_in_memory_have_an_end_and_unknown_ones_no_place(key, api, monkeypatch):
    monkeypatch.setattr(catalogue.Memory, "ROWS", 2)
    for number in range(9):
        unknown = {"HTTP_AUTHORIZATION": f"Token {number}", "shopply.turn": 1}
        assert api.get(ME, **unknown).status_code == 401
    assert catalogue.memory.rows == {}
    keys = [
        key,
        *[Token.objects.create(user=each).key for each in factories.customers.make(_quantity=4)],
    ]
    for each in keys:
        given = {"HTTP_AUTHORIZATION": f"Token {each}", "shopply.turn": 1}
        assert api.get(ME, **given).status_code == 200
        assert 1 <= len(catalogue.memory.rows) <= 2
