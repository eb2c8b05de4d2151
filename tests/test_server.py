"""How the server starts, stops, replaces a process, and serves clients while others wait."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.signals import connection_created
from django.test import RequestFactory

from orders.models import Order
from products.models import Product
from shopply.wsgi import application
from tests.servers import PRODUCTION, Server

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture
def start(transactional_db):
    """Start servers with these options for one test."""
    servers = []

    def start(**options):
        servers.append(Server(**{"workers": 1} | options).start())
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@contextmanager
def locked(product):
    """Lock the product, so that orders of it wait until the block ends."""
    with transaction.atomic():  # on SQLite, the transaction is the lock
        Product.objects.select_for_update().get(pk=product.pk)
        yield


# --- Start ----------------------------------------------------------------------------------------


def run(code, **environment):
    bytecode = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env=bytecode | {"PATH": os.environ["PATH"]} | PRODUCTION | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_missing_setting_is_reported_in_one_line():
    result = run("import shopply.server as server; server.serve()", ALLOWED_HOSTS="")
    assert result.returncode != 0
    assert result.stderr.count("\n") == 1
    assert "ALLOWED_HOSTS" in result.stderr


def test_server_does_not_start_if_a_check_fails():
    result = run(
        "from django.core.checks import Error, register; from shopply.server import serve;"
        "register(lambda app_configs, **kwargs: [Error('No shelves.', id='shop.E1')]); serve()"
    )
    assert result.returncode == 1
    assert "(shop.E1) No shelves." in result.stderr
    assert "Traceback" not in result.stderr


def test_metrics_folder_lasts_as_long_as_the_server(start, tmp_path):
    server = start(TMPDIR=str(tmp_path))
    assert [folder.name[:16] for folder in tmp_path.iterdir()] == ["shopply-metrics-"]
    server.stop()
    assert list(tmp_path.iterdir()) == []


# --- Connections ----------------------------------------------------------------------------------


def test_connection_is_reused_for_the_next_request(shop):
    with closing(HTTPConnection("127.0.0.1", shop.port, timeout=20)) as peer:
        sockets = set()
        for _ in range(2):
            peer.request("GET", "/healthz")
            assert peer.getresponse().read() == b'{"status": "ok", "version": "1.0.0"}'
            sockets.add(peer.sock)
        assert len(sockets) == 1


def test_pipelined_requests_are_answered_in_order(shop):
    missing = GET.replace(b"healthz", b"nothing")
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as peer:
        peer.sendall(GET + missing + last)
        responses = peer.makefile("rb").read()
    assert re.findall(rb"HTTP/1.1 ([0-9]+)", responses) == [b"200", b"404", b"200"]


def test_large_static_file_arrives_whole(start):
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    with closing(HTTPConnection("127.0.0.1", start(DEBUG="true").port, timeout=20)) as peer:

        def send(method, **headers):
            peer.request(method, path, headers=headers)
            response = peer.getresponse()
            return response.status, response.headers, response.read()

        status, headers, body = send("GET")
        assert (status, int(headers["Content-Length"])) == (200, len(body))
        assert len(body) > 500_000
        assert send("HEAD")[1]["Content-Length"] == headers["Content-Length"]
        condition = {"If-Modified-Since": headers["Last-Modified"]}
        assert send("GET", **condition)[::2] == (304, b"")
        assert send("GET")[2] == body


# --- Threads --------------------------------------------------------------------------------------


def read_while_orders_wait(server, alice, product):
    """Return the seconds that a product list takes while three orders wait for a lock."""
    clients = [server.client(alice) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        with locked(product):
            orders = [pool.submit(client.order, {product.pk: 1}) for client in clients]
            time.sleep(0.5)
            began = time.monotonic()
            reading = threading.Thread(target=server.client().call, args=("GET", "/api/products/"))
            reading.start()
            reading.join(timeout=1.5)
            seconds = time.monotonic() - began
        assert [order.result().status for order in orders] == [201] * 3
        reading.join()
    return seconds


def test_orders_that_wait_for_a_lock_do_not_block_readers(start, alice, product):
    assert read_while_orders_wait(start(), alice, product) < 1


def test_orders_that_wait_for_a_lock_block_readers_with_one_thread(start, alice, product):
    assert read_while_orders_wait(start(BLOCKING_THREADS="1"), alice, product) >= 1.5


def test_slow_password_hash_does_not_block_readers(start, alice):
    alice.password = "pbkdf2_sha256$12000000$salt$hash"  # takes some seconds
    alice.save()
    server = start()
    credentials = {"username": "alice", "password": "not of that hash"}
    with ThreadPoolExecutor(1) as pool:
        log_in = pool.submit(server.client().call, "POST", "/api/obtain-token/", credentials)
        time.sleep(0.5)
        for _ in range(5):
            assert server.client().call("GET", "/api/products/").status == 200
        assert not log_in.done()
        assert log_in.result().status == 400


def test_thread_that_ends_closes_its_database_connection(transactional_db):
    environ = RequestFactory().get("/api/products/", headers={"Host": "testserver"}).environ
    raw_connections, statuses = [], []

    def on_connection_created(connection, **kwargs):
        raw_connections.append(connection.connection)

    connection_created.connect(on_connection_created)
    thread = threading.Thread(
        target=application, args=(environ, lambda status, headers: statuses.append(status))
    )
    thread.start()
    thread.join()
    connection_created.disconnect(on_connection_created)
    assert statuses == ["200 OK"]
    (raw_connection,) = raw_connections
    with pytest.raises(connection.Database.Error, match="closed"):
        raw_connection.execute("SELECT 1")


# --- Stop -----------------------------------------------------------------------------------------


def test_server_that_stops_completes_the_requests_in_progress(start, alice, product):
    server = start(workers=2)
    clients = [server.client(alice) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        with locked(product):
            orders = [pool.submit(client.order, {product.pk: 1}) for client in clients]
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        responses = [order.result() for order in orders]
    assert [response.status for response in responses] == [201] * 4
    assert server.process.wait(timeout=10) == 0
    assert set(Order.objects.values_list("pk", flat=True)) == {
        response.body["id"] for response in responses
    }


def test_idle_connection_does_not_delay_the_stop(start):
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as idle:
        idle.sendall(GET)
        idle.recv(1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=5) == 0
        idle.makefile("rb").read()  # until the server closes it


def test_processes_that_die_are_replaced(start):
    server = start(workers=2)
    server.kill_workers()
    for _ in range(10):
        assert server.client().call("GET", "/api/products/").status == 200
