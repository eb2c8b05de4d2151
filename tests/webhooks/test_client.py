"""One request, one response, within limits that no receiver can stretch."""

import json
import socket
import ssl
import subprocess
import time

import pytest

from tests.webhooks.receiver import receiving, respond, write
from webhooks import client
from webhooks.client import MAX_BYTES, DeliveryError, post

MESSAGE = '{"type": "test", "data": {"name": "Crème brûlée 🍮"}}'.encode()
LINE = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def brief(monkeypatch):
    """A short time limit, so that tests of it are."""
    monkeypatch.setattr(client, "TIMEOUT", 0.4)


def trickle(beginning, content):
    """Return an entry of a script that sends a byte again and again, each well within time."""

    def send(handler):
        handler.wfile.write(beginning)
        for _ in range(40):
            handler.wfile.write(content)
            time.sleep(0.05)

    return send


@pytest.mark.parametrize(
    "entry",
    [
        lambda handler: time.sleep(1),
        trickle(b"", b"H"),
        trickle(LINE, b"a: b\r\n"),
        trickle(LINE + b"\r\n", b"x"),
        trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "headers", "body", "continue"],
)
def test_exchange_ends_in_time_however_the_receiver_trickles(receiver, brief, entry):
    receiver.script = [entry]
    started = time.monotonic()
    assert post(receiver.url, MESSAGE, {}).error == DeliveryError.TIMEOUT
    assert time.monotonic() - started < 0.8


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", DeliveryError.DISCONNECTED),
        (b"\x00\xff garbage\r\n\r\n", DeliveryError.INVALID),
        (b"HTTP/1.1 2xx OK\r\n\r\n", DeliveryError.INVALID),
        (b"HTTP/1.1 99999 OK\r\n\r\n", DeliveryError.INVALID),
        (b"HTTP/9.9 200 OK\r\n\r\n", DeliveryError.INVALID),
        (b"x" * 10 * MAX_BYTES, DeliveryError.INVALID),
        (LINE + b"a: b\r\n" * 200 + b"\r\n", DeliveryError.INVALID),
    ],
)
def test_garbage_is_a_failure(receiver, content, error):
    receiver.script = [write(content)]
    assert post(receiver.url, MESSAGE, {}).error == error


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 100\r\n\r\nshort",
        b"Content-Length: x\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Retry-After: \xb2\r\n\r\n",
    ],
)
def test_status_counts_whatever_the_rest_of_the_response_is(receiver, rest):
    receiver.script = [write(LINE + rest)]
    assert post(receiver.url, MESSAGE, {}).status == 200


def test_no_more_than_64_kb_are_read(receiver, monkeypatch):
    left = []
    read = client.LimitedReader.readinto

    def count(self, buffer):
        size = read(self, buffer)
        left.append(self.left)
        return size

    monkeypatch.setattr(client.LimitedReader, "readinto", count)
    receiver.script = [write(LINE + b"\r\n" + b"x" * 10 * MAX_BYTES)]
    assert post(receiver.url, MESSAGE, {}).status == 200
    assert min(left) == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_a_failure_and_is_not_followed(receiver, status):
    receiver.script = [respond(status, Location=receiver.url)]
    result = post(receiver.url, MESSAGE, {})
    assert (result.status, result.succeeded, receiver.messages) == (status, False, [])


def test_body_arrives_byte_by_byte(receiver):
    assert post(receiver.url, MESSAGE, {}).succeeded
    assert receiver.messages == [(None, json.loads(MESSAGE))]


def test_closed_port_is_refused(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/", MESSAGE, {}).error == DeliveryError.REFUSED


@pytest.fixture
def certificate(tmp_path):
    """The files of a certificate for localhost, and of its key."""
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
            *("-out", files[0], "-keyout", files[1]),
        ],
        check=True,
        capture_output=True,
    )
    return files


def test_certificate_is_verified_for_the_host_of_the_url(certificate, settings, monkeypatch):
    settings.WEBHOOK_ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with receiving() as receiver:
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        url = f"https://localhost:{receiver.server_port}/"
        client.tls_context.cache_clear()
        assert post(url, MESSAGE, {}).error == DeliveryError.TLS
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        client.tls_context.cache_clear()
        assert post(url, MESSAGE, {}).status == 204
        assert post(url.replace("localhost", "127.0.0.1"), MESSAGE, {}).error == DeliveryError.TLS
    client.tls_context.cache_clear()


def test_address_that_does_not_respond_leaves_time_for_the_next(receiver):
    with socket.socket() as silent, socket.socket() as waiting:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        waiting.connect(silent.getsockname())  # its queue is full now
        addresses = [(socket.AF_INET, silent.getsockname())]
        addresses.append((socket.AF_INET, receiver.server_address))
        deadline = client.Deadline(1)
        destination = client.parse_url(receiver.url)
        assert client.exchange(destination, addresses, deadline, MESSAGE, {}) == (204, 0)
