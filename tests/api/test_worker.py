"""How the worker serves many clients at once: who keep connections, stop half way, do not read."""

import os
import random
import re
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from itertools import pairwise
from pathlib import Path

import pytest

from tests.api.answering import SIZE
from tests.servers import Server

LIMIT = 2_621_440


def get(path, version="1.1", *headers):
    lines = (f"GET {path} HTTP/{version}", "Host: 127.0.0.1", *headers, "", "")
    return "\r\n".join(lines).encode()


def post(body, *headers):
    head = ("POST /echo HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*head, "", "")).encode() + body


CHUNKED = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")


class Reader:
    """What HTTPResponse wants of a socket, so that it reads no further than its answer ends."""

    def __init__(self, file):
        self.file = file

    def makefile(self, mode):
        return self

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass


class Peer:
    """A client on one connection."""

    def __init__(self, server, timeout=20, **options):
        self.socket = socket.socket()
        for name, value in options.items():
            self.socket.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(("127.0.0.1", server.port))
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
        self.socket.close()

    def send(self, sent):
        self.socket.sendall(sent)
        return self

    def answer(self, method="GET"):
        response = HTTPResponse(Reader(self.file), method=method)
        response.begin()
        return response.status, response.headers, response.read()

    def ask(self, sent):
        return self.send(sent).answer()

    @property
    def is_closed(self):
        return self.file.read(1) == b""


def served(*options, **named):
    server = Server(*options, **{"module": "tests.api.answering"} | named)
    return server.start()


@pytest.fixture(scope="module")
def server():
    server = served(workers=1)
    yield server
    server.stop()


@pytest.fixture
def start():
    """Start a server with such options for one test."""
    servers = []

    def start(*options, **named):
        servers.append(served(*options, **named))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def peer(server):
    with Peer(server) as peer:
        yield peer


# --- Connections are kept ---------------------------------------------------------------------


def test_connection_is_kept_for_the_next_request(peer):
    for name in ("alice", "bob"):
        status, headers, body = peer.ask(get(f"/hello/{name}"))
        assert (status, body) == (200, f"hello {name}".encode())
        assert headers["Connection"] == "keep-alive"
        assert len(headers.get_all("Date")) == len(headers.get_all("Server")) == 1


def test_pipelined_requests_are_answered_in_order(peer):
    peer.send(get("/hello/1") + post(b"2") + get("/hello/3") + get("/hello/4")[:9])
    assert [peer.answer()[2] for _ in range(3)] == [b"hello 1", b"2", b"hello 3"]
    assert peer.ask(get("/hello/4")[9:])[2] == b"hello 4"


@pytest.mark.parametrize(
    "sent", [get("/hello", "1.0"), get("/hello", "1.1", "Connection: close"), get("/short")[:0]]
)
def test_connection_is_closed_when_the_client_wants_it(peer, sent):
    if not sent:
        peer.socket.shutdown(socket.SHUT_WR)
    else:
        _, headers, body = peer.ask(sent)
        assert (headers["Connection"], body) == ("close", b"hello ")
    assert peer.is_closed


def test_connection_of_http_1_0_is_kept_on_request(peer):
    for _ in range(2):
        _, headers, _ = peer.ask(get("/hello", "1.0", "Connection: keep-alive"))
        assert headers["Connection"] == "keep-alive"


def test_what_follows_a_refused_request_is_not_read(peer):
    assert peer.ask(b"GET nonsense\r\n\r\n" + get("/hello"))[0] == 400
    assert peer.is_closed


def test_what_follows_a_body_that_is_too_large_is_not_read(peer):
    head = post(b"").replace(b"Length: 0", b"Length: %d" % (LIMIT + 1))
    assert peer.ask(head + get("/hello"))[0] == 413
    assert peer.is_closed


def test_connection_without_requests_is_closed(start):
    server = start("--keep-alive", "1", "--timeout", "2", workers=1)
    with Peer(server) as kept, Peer(server) as silent:
        kept.ask(get("/hello"))
        begun = time.monotonic()
        assert kept.is_closed
        assert silent.is_closed
        assert 1 < time.monotonic() - begun < 5


# --- Bodies and answers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        post(b"slow " * 20),
        CHUNKED + b"5;a=b\r\nslow \r\n" * 20 + b"0\r\nX: y\r\n\r\n",
    ],
    ids=["length", "chunks"],
)
def test_body_may_come_byte_by_byte(peer, sent):
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for place in range(len(sent)):
        peer.send(sent[place : place + 1])
        time.sleep(0.0005)
    assert peer.answer()[2] == b"slow " * 20
    assert peer.ask(get("/hello"))[2] == b"hello "


def test_body_is_asked_for(peer):
    body = b"x" * LIMIT
    head = post(body, "Expect: 100-continue")[: -len(body)]
    peer.send(head)
    assert peer.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert peer.file.readline() == b"\r\n"
    status, _, echoed = peer.ask(body)
    assert (status, echoed == body) == (200, True)


@pytest.mark.parametrize(
    ("path", "told"),
    [("/stream", b"in pieces"), ("/large", b"x" * SIZE), ("/file", b"x" * SIZE), ("/nothing", b"")],
)
def test_answer_has_an_end(peer, path, told):
    assert peer.ask(get(path))[2] == told
    peer.send(get(path).replace(b"GET", b"HEAD", 1))
    _, headers, _ = peer.answer("HEAD")
    assert headers["Content-Length"] in (None, str(len(told)))
    assert peer.ask(get("/hello"))[2] == b"hello "
    assert peer.ask(get(path, "1.0"))[2] == told
    assert peer.is_closed


def test_answer_shorter_than_it_says_is_the_last(peer):
    peer.send(get("/short") + get("/hello"))
    assert peer.file.read().endswith(b"\r\n\r\nshort")


@pytest.mark.parametrize("path", ["/fail", "/header"])
def test_failure_is_a_problem(peer, path):
    status, headers, body = peer.ask(get(path))
    assert (status, headers["Content-Type"]) == (500, "application/problem+json")
    assert b"secret" not in body
    assert b"evil" not in body.lower()


def test_static_file_is_served(start):
    server = start(module="shopply.wsgi", workers=1, DEBUG="true")
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    with Peer(server) as peer:
        _, headers, body = peer.ask(get(path))
        assert len(body) == int(headers["Content-Length"]) > 500_000
        peer.send(get(path).replace(b"GET", b"HEAD", 1))
        assert peer.answer("HEAD")[1]["Content-Length"] == headers["Content-Length"]
        etag = headers["ETag"] or headers["Last-Modified"]
        name = "If-None-Match" if headers["ETag"] else "If-Modified-Since"
        assert peer.ask(get(path, "1.1", f"{name}: {etag}"))[0] == 304
        assert peer.ask(get("/api/products/"))[0] in (200, 503)


def drawn(draw):
    """A request of any kind, or what is none."""
    body = bytes(draw.choices(b"GET {0}\r\n", k=draw.choice([0, 1, 9, 300])))
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (body, b"x") if part)
    return draw.choice(
        [
            get(f"/hello/{draw.randrange(99)}"),
            get("/hello").replace(b"GET", b"HEAD", 1),
            b"\r\n" + get("/stream", "1.1", f"X: {'y' * draw.randrange(2000)}"),
            post(body),
            CHUNKED + chunks + b"0\r\n\r\n",
            CHUNKED + chunks + b"0\r\nX: y\r\n\r\n",
            CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
            get("/hello", "1.1", "Connection: close"),
        ]
    )


def conversation(server, pieces):
    """All that is answered, but for what differs from one answer to the next."""
    with Peer(server) as peer:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # it may be refused before all is sent
            for piece in pieces:
                peer.send(piece)
                time.sleep(0.001)
        return re.sub(rb"[0-9a-f]{32}|Date: [^\r]*", b"", peer.file.read())


@pytest.mark.parametrize("seed", range(30))
def test_however_requests_are_cut_they_are_answered_alike(server, seed):
    draw = random.Random(seed)
    sent = b"".join(drawn(draw) for _ in range(draw.randint(1, 6)))
    sent += get("/hello/end", "1.1", "Connection: close")
    cuts = sorted(draw.sample(range(1, len(sent)), k=min(len(sent) - 1, draw.choice([1, 5, 40]))))
    pieces = [sent[start:end] for start, end in pairwise([0, *cuts, len(sent)])]
    assert conversation(server, pieces) == conversation(server, [sent])


# --- Nobody waits for another -----------------------------------------------------------------

HALF_WAY = [
    b"",
    b"GET /hel",
    get("/hello")[:-2],
    post(b"x" * 1000)[:-1],
    CHUNKED + b"5\r\nslo",
]


def stopped_half_way(stack, server, clients=50):
    for n in range(clients):
        peer = stack.enter_context(Peer(server))
        peer.send(HALF_WAY[n % len(HALF_WAY)])
    time.sleep(0.2)


def test_clients_that_stop_half_way_keep_nobody_waiting(start):
    server = start(workers=2)
    with ExitStack() as stack:
        stopped_half_way(stack, server)
        for _ in range(20):
            with Peer(server, timeout=1) as peer:
                assert peer.ask(get("/hello"))[0] == 200


def test_new_clients_get_their_share_of_a_busy_worker(start):
    server = start(workers=1)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Peer(server)).send(get("/hang/0.01") * 60)
        time.sleep(1)
        begun = time.monotonic()
        newcomers = [stack.enter_context(Peer(server)) for _ in range(20)]
        for peer in newcomers:
            peer.send(get("/hang/0.01"))
        assert [peer.answer()[0] for peer in newcomers] == [200] * 20
        assert time.monotonic() - begun < 3


def test_under_the_sync_worker_they_do(start):
    server = start("--worker-class", "sync", workers=2)
    with ExitStack() as stack:
        stopped_half_way(stack, server)
        with Peer(server, timeout=1) as peer, pytest.raises(TimeoutError):
            peer.ask(get("/hello"))


@pytest.mark.parametrize("path", ["/large", "/file"])
def test_client_that_does_not_read_keeps_nobody_waiting(start, path):
    server = start("--timeout", "2", workers=1)
    with ExitStack() as stack:
        begun = time.monotonic()
        idle = [stack.enter_context(Peer(server, SO_RCVBUF=4096)) for _ in range(20)]
        for peer in idle:
            peer.send(get(path) * 50)
        with Peer(server, timeout=1) as other:
            for _ in range(20):
                assert other.ask(get("/hello"))[0] == 200
        # It is dropped, having got what the system keeps for it of the first answer.
        for peer in idle:
            got = 0
            time.sleep(max(0, begun + 5 - time.monotonic()))
            with suppress(ConnectionResetError):
                while piece := peer.socket.recv(65_536):
                    got += len(piece)
            assert got < SIZE


def test_slow_reader_gets_all_of_its_answer(peer):
    peer.send(get("/large") + get("/file"))
    for _ in range(20):
        peer.file.peek()
        time.sleep(0.02)
    assert [len(peer.answer()[2]) for _ in range(2)] == [SIZE, SIZE]


def test_over_the_limit_the_connection_that_waits_longest_is_closed(start):
    server = start("--worker-connections", "10", workers=1)
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(server)) for _ in range(30)]
        with Peer(server, timeout=1) as other:
            assert other.ask(get("/hello"))[0] == 200
        assert peers[0].is_closed
        assert peers[-1].ask(get("/hello"))[0] == 200


def memory(server):
    """Bytes that the one worker of a server has in memory."""
    tasks = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    if not tasks.exists():
        pytest.skip("There is no /proc to read it from.")
    status = Path(f"/proc/{tasks.read_text().split()[0]}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_what_clients_send_is_kept_within_bounds(start):
    server = start(workers=1)
    with Peer(server) as first:  # the master listens before the worker is there
        assert first.ask(get("/hello"))[0] == 200
    before = memory(server)
    with ExitStack() as stack:
        for _ in range(60):
            peer = stack.enter_context(Peer(server))
            with suppress(OSError):
                peer.send(post(b"x" * LIMIT)[:-1])
        with Peer(server, timeout=2) as other:
            assert other.ask(get("/hello"))[0] == 200
        assert memory(server) - before < 100_000_000


def test_call_that_hangs_is_ended_and_others_are_answered(start):
    server = start("--timeout", "2", workers=1)
    with Peer(server) as stuck, Peer(server) as other:
        stuck.send(get("/hang/60"))
        time.sleep(0.2)
        other.send(get("/hello"))
        status, _, body = stuck.answer()
        assert (status, b"internal_error" in body) == (500, True)
        assert other.answer()[2] == b"hello "


def test_call_that_takes_long_makes_nobody_late(start):
    server = start("--timeout", "2", workers=1)
    with Peer(server) as slow, Peer(server) as other:
        slow.send(get("/hang/1.5") + get("/hang/1.5"))
        other.send(post(b"xyz")[:-2])
        time.sleep(1)
        other.send(b"yz")
        assert other.answer()[2] == b"xyz"
        assert [slow.answer()[0] for _ in range(2)] == [200, 200]


# --- Workers come and go ----------------------------------------------------------------------


class Shoppers:
    """Clients that send one request after the other, on connections that they keep if they may.

    When it is enough, they make no new ones.
    """

    def __init__(self, server, leave_at_once, clients=8):
        self.server = server
        self.leave_at_once = leave_at_once
        self.answered, self.lost = [], []
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self.shop) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def shop(self):
        while not self.enough.is_set():
            with Peer(self.server) as peer:
                try:
                    self.use(peer)
                except OSError as exc:
                    self.lost.append(exc)

    def use(self, peer):
        headers = {}
        while headers.get("Connection") != "close":
            status, headers, _ = peer.ask(get("/hang/0.002"))
            self.answered.append(status)
            if self.enough.is_set() and self.leave_at_once:
                return

    def leave(self):
        self.enough.set()
        for thread in self.threads:
            thread.join(timeout=20)
        assert self.lost == []
        assert set(self.answered) == {200}
        assert len(self.answered) > 100


def test_server_that_stops_loses_no_request(start):
    server = start(workers=2)
    with Peer(server) as idle, Peer(server) as half:
        half.send(post(b"half")[:-2])
        idle.ask(get("/hello"))
        shoppers = Shoppers(server, leave_at_once=False)
        time.sleep(1)
        shoppers.enough.set()  # a new connection may come just as nobody accepts them any more
        os.kill(server.process.pid, signal.SIGTERM)
        assert idle.ask(get("/hello"))[1]["Connection"] == "close"
        time.sleep(0.5)
        assert half.ask(b"lf")[2] == b"half"
        shoppers.leave()
    server.process.wait(timeout=10)


@pytest.mark.parametrize("options", [(), ("--max-requests", "50")], ids=["reload", "max_requests"])
def test_workers_that_are_replaced_lose_no_request(start, options):
    server = start(*options, workers=2)
    shoppers = Shoppers(server, leave_at_once=True)
    for _ in range(0 if options else 2):
        time.sleep(0.5)
        os.kill(server.process.pid, signal.SIGHUP)
    time.sleep(2)
    shoppers.leave()


def test_idle_connections_hold_up_no_stop(start):
    server = start(workers=1)
    with Peer(server) as idle:
        idle.ask(get("/hello"))
        os.kill(server.process.pid, signal.SIGTERM)
        assert idle.is_closed
        server.process.wait(timeout=6)


def test_server_quits_at_once_when_told(start):
    server = start(workers=2)
    with Peer(server) as stuck:
        stuck.send(get("/hang/20"))
        time.sleep(0.2)
        os.kill(server.process.pid, signal.SIGQUIT)
        server.process.wait(timeout=4)
