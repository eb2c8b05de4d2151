"""Probes of a real server, with the database there, stopped, silent and back."""

import socket
import threading
import time
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from shopply import database_status
from tests.migrations import LAST
from tests.servers import Server, database_url


def probe(server, path, host="10.0.0.7", **headers):
    """Status, headers, body and how long it took; the Host is the address, as a balancer has it."""
    began = time.monotonic()
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
        peer.request("GET", path, headers={"Host": host, **headers})
        answer = peer.getresponse()
        return answer.status, answer.headers, answer.read(), time.monotonic() - began


def assert_away(server, patience=2):
    """The process lives, and says in time that it is of no use."""
    assert probe(server, "/healthz")[0] == 200
    for path, host in (("/readyz", "10.0.0.7"), ("/api/products/", "127.0.0.1")):
        status, headers, body, seconds = probe(server, path, host)
        assert (status, headers["Content-Type"]) == (503, "application/problem+json")
        assert b'"service_unavailable"' in body
        assert b"127.0.0.1:" not in body
        assert headers["Retry-After"] == "1"
        assert seconds < (2 if path == "/readyz" else patience)
    assert_page_unavailable(server)


def assert_page_unavailable(server):
    """Whoever is logged in to the admin is told in words."""
    status, headers, body, _ = probe(server, "/admin/", "127.0.0.1", Cookie=f"sessionid={'x' * 32}")
    assert (status, headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert headers["Retry-After"] == "1"
    assert b"<h1>Unavailable</h1>" in body


@contextmanager
def running(**environment):
    server = Server(workers=1, **environment).start()
    try:
        yield server
    finally:
        server.stop()


def test_probe_by_address_over_http_is_answered(transactional_db):
    with running(SECURE_SSL_REDIRECT="true") as server:
        for host in ("10.0.0.7", "evil.example", "[", ""):
            assert probe(server, "/healthz", host)[0] == probe(server, "/readyz", host)[0] == 200
        assert probe(server, "/api/", "127.0.0.1")[0] == 301


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probe_has_no_session_and_is_only_read(client, db, path):
    client.cookies["sessionid"] = "x" * 32
    answer = client.get(path)
    assert not answer.cookies
    assert not answer.wsgi_request.session.accessed
    assert client.post(path).status_code == client.delete(path).status_code == 405


def test_life_asks_the_database_nothing(client):  # without its fixture, a query is refused
    assert client.get("/healthz").json() == {"status": "ok", "version": settings.VERSION}


def test_migrations_are_looked_up_until_they_are_applied(
    client, db, django_assert_num_queries, monkeypatch
):
    monkeypatch.setattr(database_status, "migrated", threading.Event())
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("orders", LAST)
    refused = client.get("/readyz")
    assert refused.status_code == 503
    assert refused.json()["detail"] == "The database is behind on migrations."
    recorder.record_applied("orders", LAST)
    assert client.get("/readyz").status_code == 200
    with django_assert_num_queries(1):
        assert client.get("/readyz").status_code == 200


def listener():
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    return server, server.getsockname()[1]


@contextmanager
def nobody():
    """A port at which nobody listens."""
    server, port = listener()
    server.close()
    yield port


@contextmanager
def black_hole():
    """A port of which not even a refusal comes back: the queue of the system is full."""
    server, port = listener()
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        with suppress(BlockingIOError):
            each.connect(("127.0.0.1", port))
    yield port
    for each in (server, *waiting):
        each.close()


@contextmanager
def silence():
    """A port that is connected to, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


# Who connects and hears nothing waits for two seconds: libpq knows no shorter time.
@pytest.mark.parametrize(("kind", "patience"), [(nobody, 2), (black_hole, 2), (silence, 2.5)])
def test_database_out_of_reach_is_told_in_time(kind, patience):
    with kind() as port, running(DATABASE_URL=f"postgres://shop@127.0.0.1:{port}/shop") as server:
        for _ in range(2):
            assert_away(server, patience)


class Relay:
    """Stands between the shop and PostgreSQL, and may keep all to itself."""

    def __init__(self, host, port):
        self.behind = host, port
        self.passing = threading.Event()
        self.passing.set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with suppress(OSError):
            while True:
                front, _ = self.server.accept()
                back = socket.create_connection(self.behind)
                for pair in ((front, back), (back, front)):
                    threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source, target):
        with source, target, suppress(OSError):
            while data := source.recv(65536):
                self.passing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)  # wakes the other direction


def test_connection_that_falls_silent_is_told_in_time_and_given_up(shop):
    """By the thread that has it: no other waits for it, and each has one of its own."""
    if connection.vendor != "postgresql":
        pytest.skip("the suite does not run on PostgreSQL")
    database = connection.settings_dict
    relay = Relay(database["HOST"], int(database["PORT"] or 5432))
    address = f"{database['HOST']}:{database['PORT'] or 5432}"
    url = database_url().replace(address, f"127.0.0.1:{relay.port}")
    with closing(relay.server), running(DATABASE_URL=url, BLOCKING_THREADS="1") as server:
        assert probe(server, "/readyz")[0] == 200
        relay.passing.clear()
        assert_away(server, patience=2.5)
        relay.passing.set()
        assert probe(server, "/readyz")[0] == 200
        assert probe(server, "/api/products/", "127.0.0.1")[0] == 200


def test_stopped_postgresql_is_told_at_once_and_its_return_too(cluster):
    with running() as server:
        assert probe(server, "/readyz")[0] == 200
        assert probe(server, "/api/products/", "127.0.0.1")[0] == 200
        connection.close()
        cluster.kill()
        assert_away(server)
        cluster.start()
        back = time.monotonic()
        while probe(server, "/readyz")[0] != 200:
            assert time.monotonic() - back < 5
        assert probe(server, "/api/products/", "127.0.0.1")[0] == 200
        assert time.monotonic() - back < 5
