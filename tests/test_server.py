"""How the server starts, stops, loses a process, and serves some callers while others wait."""

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
    """Start a server with such options for one test."""
    servers = []

    def start(**options):
        servers.append(Server(**{"workers": 1} | options).start())
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@contextmanager
def held_up(product):
    """Have orders of the product wait, until the block ends."""
    with transaction.atomic():  # which is the lock on SQLite
        Product.objects.select_for_update().get(pk=product.pk)
        yield


# --- Start ----------------------------------------------------------------------------------------


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | PRODUCTION | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_environment_that_is_none_is_refused_in_a_sentence():
    outcome = run("import shopply.server as server; server.serve()", ALLOWED_HOSTS="")
    assert outcome.returncode != 0
    assert outcome.stderr.count("\n") == 1
    assert "ALLOWED_HOSTS" in outcome.stderr


def test_error_of_a_check_keeps_it_from_starting():
    outcome = run(
        "from django.core.checks import Error, register; from shopply.server import serve;"
        "register(lambda app_configs, **kwargs: [Error('No shelves.', id='shop.E1')]); serve()"
    )
    assert outcome.returncode == 1
    assert "(shop.E1) No shelves." in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_folder_of_the_counts_is_there_as_long_as_the_server(start, tmp_path):
    server = start(TMPDIR=str(tmp_path))
    assert [folder.name[:16] for folder in tmp_path.iterdir()] == ["shopply-metrics-"]
    server.stop()
    assert list(tmp_path.iterdir()) == []


# --- Connections ----------------------------------------------------------------------------------


def test_connection_is_kept_for_the_next_request(shop):
    with closing(HTTPConnection("127.0.0.1", shop.port, timeout=20)) as peer:
        sockets = set()
        for _ in range(2):
            peer.request("GET", "/healthz")
            assert peer.getresponse().read() == b'{"status": "ok"}'
            sockets.add(peer.sock)
        assert len(sockets) == 1


def test_pipelined_requests_are_answered_in_order(shop):
    lost = GET.replace(b"healthz", b"nothing")
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as peer:
        peer.sendall(GET + lost + last)
        answers = peer.makefile("rb").read()
    assert re.findall(rb"HTTP/1.1 ([0-9]+)", answers) == [b"200", b"404", b"200"]


def test_large_static_file_arrives_whole(start):
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    with closing(HTTPConnection("127.0.0.1", start(DEBUG="true").port, timeout=20)) as peer:

        def ask(method, **headers):
            peer.request(method, path, headers=headers)
            answer = peer.getresponse()
            return answer.status, answer.headers, answer.read()

        status, headers, body = ask("GET")
        assert (status, int(headers["Content-Length"])) == (200, len(body))
        assert len(body) > 500_000
        assert ask("HEAD")[1]["Content-Length"] == headers["Content-Length"]
        known = {"If-Modified-Since": headers["Last-Modified"]}
        assert ask("GET", **known)[::2] == (304, b"")
        assert ask("GET")[2] == body


# --- Threads --------------------------------------------------------------------------------------


def while_orders_wait(server, alice, product):
    """Seconds that a page of products takes while three orders wait for a lock."""
    clients = [server.client(alice) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        with held_up(product):
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


def test_orders_that_wait_for_a_lock_keep_no_reader_out(start, alice, product):
    assert while_orders_wait(start(), alice, product) < 1


def test_with_one_thread_they_do(start, alice, product):
    assert while_orders_wait(start(BLOCKING_THREADS="1"), alice, product) >= 1.5


def test_slow_hash_of_a_password_keeps_no_reader_out(start, alice):
    alice.password = "pbkdf2_sha256$12000000$salt$hash"  # of some seconds
    alice.save()
    server = start()
    given = {"username": "alice", "password": "not of that hash"}
    with ThreadPoolExecutor(1) as pool:
        log_in = pool.submit(server.client().call, "POST", "/api/obtain-token/", given)
        time.sleep(0.5)
        for _ in range(5):
            assert server.client().call("GET", "/api/products/").status == 200
        assert not log_in.done()
        assert log_in.result().status == 400


def test_thread_that_ends_closes_its_database_connection(transactional_db):
    environ = RequestFactory().get("/api/products/", headers={"Host": "testserver"}).environ
    links, statuses = [], []

    def opened(connection, **kwargs):
        links.append(connection.connection)

    connection_created.connect(opened)
    thread = threading.Thread(
        target=application, args=(environ, lambda status, headers: statuses.append(status))
    )
    thread.start()
    thread.join()
    connection_created.disconnect(opened)
    assert statuses == ["200 OK"]
    (link,) = links
    with pytest.raises(connection.Database.Error, match="closed"):
        link.execute("SELECT 1")


# --- Stop -----------------------------------------------------------------------------------------


def test_server_that_stops_answers_the_requests_under_way(start, alice, product):
    server = start(workers=2)
    clients = [server.client(alice) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        with held_up(product):
            orders = [pool.submit(client.order, {product.pk: 1}) for client in clients]
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        answers = [order.result() for order in orders]
    assert [answer.status for answer in answers] == [201] * 4
    assert server.process.wait(timeout=10) == 0
    assert set(Order.objects.values_list("pk", flat=True)) == {each.body["id"] for each in answers}


def test_idle_connection_holds_up_no_stop(start):
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as idle:
        idle.sendall(GET)
        idle.recv(1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=5) == 0
        idle.makefile("rb").read()  # to its end


def test_processes_that_die_are_replaced(start):
    server = start(workers=2)
    server.kill_workers()
    for _ in range(10):
        assert server.client().call("GET", "/api/products/").status == 200
