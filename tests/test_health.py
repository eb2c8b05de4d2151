"""Probes of a real server while its database is up, stopped, silent and restarted."""

import json
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from shopply import database_status
from tests.migrations import LAST
from tests.servers import Server, database_url


def probe(server, path, host="10.0.0.7", **headers):
    """Return status, headers, body and seconds; the Host is an address, as load balancers send."""
    began = time.monotonic()
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
        peer.request("GET", path, headers={"Host": host, **headers})
        response = peer.getresponse()
        return response.status, response.headers, response.read(), time.monotonic() - began


def assert_unavailable(server, max_seconds=2):
    """The process lives, and reports in time that it cannot serve."""
    assert probe(server, "/healthz")[0] == 200
    for path, host in (("/readyz", "10.0.0.7"), ("/api/products/", "127.0.0.1")):
        status, headers, body, seconds = probe(server, path, host)
        assert (status, headers["Content-Type"]) == (503, "application/problem+json")
        assert b'"service_unavailable"' in body
        assert b"127.0.0.1:" not in body
        assert headers["Retry-After"] == "1"
        assert seconds < (2 if path == "/readyz" else max_seconds)
    assert_page_unavailable(server)


def assert_page_unavailable(server):
    """A user who is logged in to the admin gets a page."""
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


def test_probe_by_address_over_http_succeeds(transactional_db):
    with running(SECURE_SSL_REDIRECT="true") as server:
        for host in ("10.0.0.7", "evil.example", "[", ""):
            assert probe(server, "/healthz", host)[0] == probe(server, "/readyz", host)[0] == 200
        assert probe(server, "/api/", "127.0.0.1")[0] == 301


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probe_has_no_session_and_is_read_only(client, db, path):
    client.cookies["sessionid"] = "x" * 32
    response = client.get(path)
    assert not response.cookies
    assert not response.wsgi_request.session.accessed
    assert client.post(path).status_code == client.delete(path).status_code == 405


def test_liveness_makes_no_queries(client):  # without the db fixture, a query raises
    assert client.get("/healthz").json() == {"status": "ok", "version": settings.VERSION}


def test_migrations_are_checked_until_they_are_applied(
    client, db, django_assert_num_queries, monkeypatch
):
    monkeypatch.setattr(database_status, "migrated", threading.Event())
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("orders", LAST)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["detail"] == "The database is behind on migrations."
    recorder.record_applied("orders", LAST)
    assert client.get("/readyz").status_code == 200
    with django_assert_num_queries(2):  # and how far behind the queue of tasks is
        assert client.get("/readyz").json()["tasks"] == {"waiting": 0, "oldest_seconds": 0}


def test_queue_that_does_not_answer_in_time_is_left_out(transactional_db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no locks of tables")
    with running() as server, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK django_tasks_database_dbtaskresult")
        status, _, body, seconds = probe(server, "/readyz")
    assert (status, json.loads(body)) == (200, {"status": "ok", "tasks": None})
    assert seconds < 2


def listen():
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    return server, server.getsockname()[1]


@contextmanager
def closed_port():
    """A port on which no process listens."""
    server, port = listen()
    server.close()
    yield port


@contextmanager
def black_hole():
    """A port that does not even refuse connections: its backlog is full."""
    server, port = listen()
    clients = [socket.socket() for _ in range(3)]
    for client in clients:
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect(("127.0.0.1", port))
    yield port
    for sock in (server, *clients):
        sock.close()


@contextmanager
def silent_port():
    """A port that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


# Connecting to a silent port takes two seconds: libpq has no shorter timeout.
@pytest.mark.parametrize(
    ("unreachable_port", "max_seconds"), [(closed_port, 2), (black_hole, 2), (silent_port, 2.5)]
)
def test_unreachable_database_is_reported_in_time(unreachable_port, max_seconds):
    with (
        unreachable_port() as port,
        running(DATABASE_URL=f"postgres://shop@127.0.0.1:{port}/shop") as server,
    ):
        for _ in range(2):
            assert_unavailable(server, max_seconds)


class Relay:
    """A proxy between the shop and PostgreSQL, which can stop forwarding."""

    def __init__(self, host, port):
        self.upstream = host, port
        self.forwarding = threading.Event()
        self.forwarding.set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with suppress(OSError):
            while True:
                downstream, _ = self.server.accept()
                upstream = socket.create_connection(self.upstream)
                for pair in ((downstream, upstream), (upstream, downstream)):
                    threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source, target):
        with source, target, suppress(OSError):
            while data := source.recv(65536):
                self.forwarding.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)  # wakes the other direction


def test_silent_connection_is_reported_in_time_and_closed(shop):
    """Only the thread with this connection waits for it: each thread has its own."""
    if connection.vendor != "postgresql":
        pytest.skip("the suite does not run on PostgreSQL")
    database = connection.settings_dict
    relay = Relay(database["HOST"], int(database["PORT"] or 5432))
    address = f"{database['HOST']}:{database['PORT'] or 5432}"
    url = database_url().replace(address, f"127.0.0.1:{relay.port}")
    with closing(relay.server), running(DATABASE_URL=url, BLOCKING_THREADS="1") as server:
        assert probe(server, "/readyz")[0] == 200
        relay.forwarding.clear()
        assert_unavailable(server, max_seconds=2.5)
        relay.forwarding.set()
        assert probe(server, "/readyz")[0] == 200
        assert probe(server, "/api/products/", "127.0.0.1")[0] == 200


def test_stop_and_return_of_postgresql_are_reported_at_once(cluster):
    with running() as server:
        assert probe(server, "/readyz")[0] == 200
        assert probe(server, "/api/products/", "127.0.0.1")[0] == 200
        connection.close()
        cluster.kill()
        assert_unavailable(server)
        cluster.start()
        restarted = time.monotonic()
        while probe(server, "/readyz")[0] != 200:
            assert time.monotonic() - restarted < 5
        assert probe(server, "/api/products/", "127.0.0.1")[0] == 200
        assert time.monotonic() - restarted < 5
