"""The next request to any process sees a changed row, and rejects a revoked token."""

import threading
from functools import partial

from tests.servers import at_once

ME = "/api/customers/me/"


def count_stale_rows(server, alice):
    """Count the outdated rows that sixteen concurrent readers receive during writes."""
    latest, stale_codes, done, client = [0], [], threading.Event(), server.client(alice)

    def read(path):
        while not done.is_set():
            min_expected, body = latest[0], client.call("GET", path).body
            row = body if path == ME else body[0]
            if int(row["postal_code"]) < min_expected:
                stale_codes.append(row["postal_code"])

    def write():
        for number in range(1, 20):
            assert client.call("PATCH", ME, {"postal_code": str(number)}).status == 200
            latest[0] = number
        done.set()

    alice.update_fields(postal_code="0")
    at_once(write, *[partial(read, path) for path in (ME, "/api/customers/") * 8])
    return len(stale_codes)


def count_accepted_after_revocation(server, alice):
    """Count the requests accepted with a token that was revoked before they were sent."""
    accepted = []

    def read(client, revoked, done):
        while not done.is_set():
            was_revoked = revoked.is_set()
            if client.call("GET", ME).status == 200 and was_revoked:
                accepted.append(client)

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
    return len(accepted)


def test_next_request_sees_a_changed_row(shop, alice):
    assert count_stale_rows(shop, alice) == 0


def test_revoked_token_is_rejected_by_every_process(shop, alice):
    assert count_accepted_after_revocation(shop, alice) == 0
