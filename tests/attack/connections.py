"""Attacks by connections: many, idle, slow or half read. Others are served, and memory stays flat.

Against one server of two processes behind nginx, on PostgreSQL. Run by `make attack`.
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
    Honest,
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
    """For the attackers, which are this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(stack, shop, count, sent):
    """So many connections that have each sent these bytes, until the stack is left."""
    for _ in range(count):
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", shop.port), 20))
        with suppress(OSError):
            peer.sendall(sent)


def assert_newcomers_are_served(shop):
    with ThreadPoolExecutor(8) as callers:
        ask = lambda _: call(shop, "GET", "/api/products/", address="127.0.200.1")  # noqa: E731
        answers = list(callers.map(ask, range(40)))
    assert {each.status for each in answers} == {200}
    assert max(each.seconds for each in answers) < 2


@pytest.mark.parametrize(
    ("count", "sent"),
    [
        (2_000, GET + b"\r\n"),  # answered, and kept open
        (500, GET + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8_100) for n in range(94))),
        (500, GET + b"X: " + b"a" * 8_000),
        (500, QUOTE + b"1\r\n{\r\n" * 100),
        (900, b"GET /api/schema/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),  # nobody reads the answer
    ],
    ids=["idle", "large heads", "half heads", "half bodies", "stalled readers"],
)
def test_connections_push_nobody_out(start, product, count, sent):  # noqa: F811
    shop = start(ANONYMOUS_RATE="100000/m")
    assert_newcomers_are_served(shop)
    with ExitStack() as stack:
        connected(stack, shop, count, sent)
        assert_newcomers_are_served(shop)
        used = memory(shop)
    print(f"a process of the server holds {used:.0f} MB")
    assert used < 250


def test_chunks_of_a_byte_hold_nobody_up(start, product):  # noqa: F811
    shop = start()
    call(shop, "GET", "/api/products/")
    body = QUOTE + b"1\r\n \r\n" * 60_000 + b"0\r\n\r\n"

    def send(_):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", shop.port), 30) as peer:
                peer.sendall(body)
                assert b" 400 " in peer.recv(100)

    with Honest(shop) as honest, ThreadPoolExecutor(8) as callers:
        list(callers.map(send, range(8)))
    assert memory(shop) < 250
    honest.assert_served(median=0.2, p99=2)


def test_lines_that_nobody_reads_hold_nobody_up(product):
    """A collector of logs that stalls: the pipe is full after some hundred lines."""
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
