"""Attacks by connections: many, idle, slow or half-read. Others are served; memory stays flat.

They run against one server of two processes behind nginx, on PostgreSQL. Run by `make attack`.
"""

import os
import resource
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from tests.attack.availability import (  # noqa: F401  a fixture, and pytest's own name
    BackgroundReader,
    call,
    memory,
    pytestmark,
    start,
)
from tests.servers import Server

GET = b"GET /api/products/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
QUOTE = (
    b"POST /api/orders/quote/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@pytest.fixture(autouse=True)
def enough_files():
    """Raise the limit on open files for the attackers, which run in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_connections(stack, shop, count, payload):
    """Open connections that each send the payload; they close with the stack."""
    for _ in range(count):
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", shop.port), 20))
        with suppress(OSError):
            peer.sendall(payload)


def assert_newcomers_are_served(shop):
    with ThreadPoolExecutor(8) as pool:
        request_list = lambda _: call(shop, "GET", "/api/products/", address="127.0.200.1")  # noqa: E731
        responses = list(pool.map(request_list, range(40)))
    assert {response.status for response in responses} == {200}
    assert max(response.seconds for response in responses) < 2


@pytest.mark.parametrize(
    ("count", "payload"),
    [
        (2_000, GET + b"\r\n"),  # answered and left open
        (500, GET + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8_100) for n in range(94))),
        (500, GET + b"X: " + b"a" * 8_000),
        (500, QUOTE + b"1\r\n{\r\n" * 100),
        (900, b"GET /api/schema/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),  # nobody reads the response
    ],
    ids=["idle", "large heads", "half heads", "half bodies", "stalled readers"],
)
def test_connections_push_nobody_out(start, product, count, payload):  # noqa: F811
    shop = start(ANONYMOUS_RATE="100000/m")
    assert_newcomers_are_served(shop)
    with ExitStack() as stack:
        open_connections(stack, shop, count, payload)
        assert_newcomers_are_served(shop)
        used = memory(shop)
    print(f"a process of the server holds {used:.0f} MB")
    assert used < 250


def test_one_byte_chunks_delay_nobody(start, product):  # noqa: F811
    shop = start()
    call(shop, "GET", "/api/products/")
    body = QUOTE + b"1\r\n \r\n" * 60_000 + b"0\r\n\r\n"

    def send(_):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", shop.port), 30) as peer:
                peer.sendall(body)
                assert b" 400 " in peer.recv(100)

    with BackgroundReader(shop) as reader, ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    assert memory(shop) < 250
    reader.assert_served(median=0.2, p99=2)


def test_unread_log_lines_delay_nobody(product):
    """A log collector stalls: the pipe is full after some hundred lines."""
    reading, writing = os.pipe()
    try:
        server = Server(workers=1, out=writing, log=subprocess.DEVNULL).start()
        try:
            client, began = server.client(), time.monotonic()
            for _ in range(1_000):
                assert client.call("GET", "/api/products/", timeout=5).status == 200
            print(f"1,000 requests took {time.monotonic() - began:.1f} s")
        finally:
            server.stop()
    finally:
        os.close(reading)
        os.close(writing)
