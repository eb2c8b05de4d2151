"""How a real server responds to invalid HTTP, and what its responses reveal.

granian rejects what it cannot parse with an empty 4xx; the shop rejects the rest with a problem.
"""

import json
import re
import socket
import tempfile
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from orders.models import Order
from products.categories import Category
from tests import factories
from tests.changes.follower import wait_until_shown
from tests.contract import operations
from tests.servers import Server

BODY_LIMIT = 65_536
GET = b"GET /api/products/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /api/obtain-token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
FORM = POST.replace(b"json", b"x-www-form-urlencoded; charset=punycode")
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def send(server, payload):
    """Send these bytes; return the status, headers and body of the response."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as peer:
        with suppress(OSError):  # the server may respond before it has read everything
            peer.sendall(payload)
        response = HTTPResponse(peer)
        response.begin()
        return response.status, response.headers, response.read().decode()


def problem(response):
    status, headers, body = response
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    data = json.loads(body)
    assert data["status"] == status
    assert data["type"].endswith(f"/api/problems/{data['code']}/")
    assert data["request_id"] == headers["X-Request-ID"]
    return f"{status} {data['code']}"


HOST = b"Host: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b"GET /api/ HTTP/3.0\r\n\r\n", 400),
        (b"GET /api/ NONSENSE\r\n\r\n", 400),
        (b"GET /api/\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /api/\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET api/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET http://[/api/ HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", 400),
        (GET + b"No colon\r\n\r\n", 400),
        (GET + b"Two words: x\r\n\r\n", 400),
        (GET + b"X: a\0b\r\n\r\n", 400),
        (GET + b"X: folded\r\n line\r\n\r\n", 400),
        (GET + b"X: " + b"a" * 150_000 + b"\r\n\r\n", 431),
        (GET + b"X" * 150_000 + b": a\r\n\r\n", 431),
        (GET + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n", 431),
        (GET + b"X: a\r\n" * 101 + b"\r\n", 431),
        (b"GET /api/?" + b"a" * 66_000 + b" HTTP/1.1\r\n\r\n", 414),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: ten\r\n\r\n", 400),
        (POST + b"Content-Length: \xb2\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n11", 400),
        (POST + b"Content-Length: %s\r\n\r\n" % (b"9" * 5_000), 400),
        (POST + b"Transfer-Encoding: nonsense\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    ],
    ids=lambda part: repr(part[:60]) if isinstance(part, bytes) else part,
)
def test_request_that_cannot_be_parsed_is_rejected_without_a_body(running_shop, payload, status):
    actual, _, body = send(running_shop, payload)
    assert (actual, body) == (status, "")


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        (b"GET /api/ HTTP/1.1\r\n\r\n", "400 bad_request"),
        (GET + HOST + b"\r\n", "400 bad_request"),
        (GET + b'Cookie: sessionid="\\000"\r\n\r\n', "400 bad_request"),
        (GET + b"Accept: \xff\r\n\r\n", "406 not_acceptable"),
        (POST + b"\r\n", "411 length_required"),
        (FORM + b"\r\n", "411 length_required"),
        (FORM + b"Content-Length: 27\r\n\r\nusername=zoe&password=wrong", "400 wrong_credentials"),
        (FORM + b"Content-Length: 2\r\n\r\n\xff=", "400 validation_error"),
        (POST + b"Content-Length: 0\r\n\r\n", "400 validation_error"),
        (GET + b"Authorization: \r\n\r\n", "401 authentication_failed"),
        (GET + b"Authorization: Token \xff\r\n\r\n", "401 authentication_failed"),
        (POST + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), "413 request_too_large"),
        (POST + b"Content-Length: %d\r\n\r\n" % (2**64 - 9), "413 request_too_large"),
        (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", "400 validation_error"),
        (CHUNKED + b"2\r\n{}and more\r\n0\r\n\r\n", "400 validation_error"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", "400 validation_error"),
        (CHUNKED + b"2\r\n{}\r\n0\r\nHost: evil.example\r\n\r\n", "400 validation_error"),
        (CHUNKED + b"1\r\n{\r\n0\r\n\r\n", "400 parse_error"),
        (
            CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (BODY_LIMIT + 1, b"x" * (BODY_LIMIT + 1)),
            "413 request_too_large",
        ),
        (b"CONNECT /api/ HTTP/1.1\r\n" + HOST + b"\r\n", "405 method_not_allowed"),
        (b"GET /api/nope%00 HTTP/1.1\r\n" + HOST + b"\r\n", "404 not_found"),
        (b"GET /api/../admin/ HTTP/1.1\r\n" + HOST + b"\r\n", "404 not_found"),
        (b"GET /api/%ff HTTP/1.1\r\n" + HOST + b"\r\n", "404 not_found"),
    ],
    ids=lambda part: repr(part[:60]) if isinstance(part, bytes) else part,
)
def test_request_that_the_shop_cannot_serve_is_a_problem(running_shop, payload, outcome):
    assert problem(send(running_shop, payload)) == outcome


@pytest.mark.parametrize(
    "target", [b"*", b"//evil.example/", b"127.0.0.1:443", b"http://evil.example"]
)
def test_target_that_is_not_a_path_is_not_a_server_error(running_shop, target):
    for method in (b"OPTIONS", b"GET", b"CONNECT"):
        payload = b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target, HOST)
        assert send(running_shop, payload)[0] < 500


@pytest.mark.parametrize("charset", [b"nonsense", b"base64", b"utf-16", b"punycode", b"\xff"])
def test_charset_of_a_body_is_not_looked_up(running_shop, charset):
    head = POST.rstrip() + b"; charset=%s\r\n" % charset
    assert problem(send(running_shop, head + b"Content-Length: 1\r\n\r\n{")) in (
        "400 parse_error",
        "415 unsupported_media_type",
    )


def chunks(body, size):
    for start in range(0, len(body), size):
        chunk = body[start : start + size]
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def test_order_sent_in_chunks_is_placed(shop, alice, product):
    body = json.dumps({"items": [{"product": product.pk, "quantity": 2}]}).encode()
    head = (
        b"POST /api/orders/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nAuthorization: %s\r\n\r\n"
    ) % shop.client(alice).headers["Authorization"].encode()
    status, _, _ = send(shop, head + b"".join(chunks(body, 7)))
    assert status == 201
    assert Order.objects.get().items.get().quantity == 2


@pytest.mark.parametrize(
    "payload", [GET + b"\r\n", b"GET /nope HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]
)
def test_server_does_not_reveal_its_version(running_shop, payload):
    _, headers, _ = send(running_shop, payload)
    assert not re.search("[0-9]", headers["Server"])


@pytest.fixture
def failing_shop(transactional_db):
    server = Server(workers=1, module="tests.api.failing").start()
    yield server
    server.stop()


def test_server_error_reveals_no_internals(failing_shop):
    api_response = send(failing_shop, GET + b"\r\n")
    assert problem(api_response) == "500 internal_error"
    page_response = send(failing_shop, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert page_response[0] == 500
    for _, headers, body in (api_response, page_response):
        assert not re.search("SELECT|secret|Traceback|RuntimeError|/products/views", body)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_upload_is_rejected_before_it_is_written_to_disk(running_shop, tmp_path):
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    body = head + b"x" * 5_000_000 + b"\r\n--x--\r\n"
    before = set(Path(tempfile.gettempdir()).glob("*.upload*"))
    status, _, _ = send(
        running_shop,
        b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
    )
    assert status == 400
    assert set(Path(tempfile.gettempdir()).glob("*.upload*")) == before


# --- What RFC 9110 asks of every server -----------------------------------------------------------

READABLE = [path for method, path in operations() if method == "GET"] + [
    *("/api/", "/api/schema/", "/api/docs/", "/api/problems/", "/api/problems/not_found/"),
    *("/healthz", "/readyz", "/nothing", "/api/nothing/"),
]
PUBLIC = {
    path
    for (_, path), operation in operations().items()
    if {} in (operation.get("security") or [{}])
}
PER_RESPONSE = {"date", "x-request-id", "ratelimit", "transfer-encoding"}


@pytest.mark.parametrize("path", READABLE)
def test_head_has_the_headers_of_get_and_no_body(shop, clerk, product, path):
    order = factories.place(clerk, {product: 1})
    ids = {"products": product.pk, "customers": clerk.pk, "orders": order.pk}
    path = path.replace("{id}", str(ids[path.split("/")[2]])) if "{id}" in path else path
    path = path.replace("{slug}", Category.objects.create(name="Tea", slug="tea").slug)
    if path == "/api/changes/":
        wait_until_shown()  # or one of the two responses lacks what the other has
    responses = []
    for method in ("GET", "HEAD"):
        with closing(HTTPConnection("127.0.0.1", shop.port, timeout=20)) as peer:
            peer.request(method, path, headers=shop.client(clerk).headers)
            response = peer.getresponse()
            assert bool(response.read()) is (method == "GET")
        headers = {name.lower(): value for name, value in response.headers.items()}
        names = sorted(headers.keys() - PER_RESPONSE)
        responses.append((response.status, [(name, headers[name]) for name in names]))
    assert responses[0] == responses[1]


@pytest.mark.parametrize("path", sorted(PUBLIC | {"/api/", "/api/schema/", "/api/docs/"}))
def test_options_of_a_public_address_needs_no_log_in(shop, product, path):
    path = path.replace("{id}", str(product.pk)).replace("{slug}", "tea").encode()
    payload = b"OPTIONS %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path
    status, headers, body = send(shop, payload)
    assert (status, body, headers["Content-Length"]) == (200, "", "0")
    assert {"OPTIONS", "GET", "POST"} & set(headers["Allow"].split(", ")) > {"OPTIONS"}


BODY = b'{"username": "nobody", "password": "wrong-password"}'
EXPECT = POST + b"Expect: 100-continue\r\nContent-Length: "


def test_expected_100_continue_is_sent_before_the_body(shop):
    with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as peer:
        peer.sendall(EXPECT + b"%d\r\n\r\n" % len(BODY))
        assert peer.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(BODY)
        assert peer.recv(10_000).startswith(b"HTTP/1.1 400 ")


def test_body_that_would_be_rejected_is_not_asked_for(running_shop):
    with socket.create_connection(("127.0.0.1", running_shop.port), timeout=20) as peer:
        peer.sendall(EXPECT + b"%d\r\n\r\n" % (BODY_LIMIT + 1))
        assert peer.recv(10_000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("expectation", [b"nonsense", b"100-continue, nonsense"])
def test_unknown_expectation_is_ignored(shop, expectation):
    payload = b"%sExpect: %s\r\nContent-Length: %d\r\n\r\n%s"
    response = send(shop, payload % (POST, expectation, len(BODY), BODY))
    assert problem(response) == "400 wrong_credentials"


def test_byte_order_mark_before_json_is_skipped(shop, alice, product):
    body = json.dumps({"items": [{"product": product.pk, "quantity": 1}]}).encode("utf-8-sig")
    authorization = shop.client(alice).headers["Authorization"].encode()
    head = b"POST /api/orders/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += b"Authorization: %s\r\nContent-Length: %d\r\n\r\n" % (authorization, len(body))
    assert send(shop, head + body)[0] == 201


@pytest.mark.parametrize(
    "accept",
    [
        *("*/*;q=0.1", "*/*; Q=1", "application/json;q=0.001", "text/html, */*;q=0.1"),
        *("application/json; charset=utf-8;q=0.9", "application/*;q=0.5", "text/*;q=0, */*"),
    ],
)
def test_weight_of_an_accepted_type_changes_nothing(api, as_alice, product, accept):
    for client, path in ((api, "/api/products/"), (as_alice, "/api/customers/me/")):
        response = client.get(path, headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")
        assert response.content == client.get(path).content


@pytest.mark.parametrize("accept", ["*/*;q=0", "application/json;q=0.000", "text/html;q=1"])
def test_type_of_weight_zero_is_not_acceptable(api, product, accept):
    response = api.get("/api/products/", headers={"Accept": accept})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")


def test_head_of_an_export_holds_nothing_afterwards(shop, alice):
    client = shop.client(alice)
    for _ in range(50):  # more than there are slots for exports
        assert client.call("HEAD", "/api/customers/me/export/").status == 200
    assert client.call("GET", "/api/customers/me/export/").status == 200
