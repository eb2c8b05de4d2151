"""The next request of every process sees a changed row, and no token that was revoked."""

import threading
from functools import partial

from tests.servers import at_once

ME = "/api/customers/me/"


def rows_out_of_date(server, alice):
    """How often sixteen clients that ask all the time got an older row than the shop's."""
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

    alice.update_fields(postal_code="0")
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


def test_changed_row_is_seen_by_the_next_request(shop, alice):
    assert rows_out_of_date(shop, alice) == 0


def test_revoked_token_opens_nothing_for_any_process(shop, alice):
    assert opened_by_revoked_tokens(shop, alice) == 0
