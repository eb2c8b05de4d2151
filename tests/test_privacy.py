"""Logs, metrics and Sentry contain no personal data, however a person's requests fail."""

import json
from base64 import b64encode
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from itertools import chain
from queue import Empty
from urllib.parse import quote, urlencode

import pytest

from customers.models import Customer
from tests import factories
from tests.servers import Server, at_once

METRICS_TOKEN = "of-whoever-watches"  # noqa: S105
ADDRESS = "203.0.113.77"
PASSWORD = "correct-horse-battery"  # noqa: S105
LINK_TOKEN = "cz9k2l-5f0c7e9ab1d24c6e8f3a5b7d9e1f2a4c"  # noqa: S105
PERSON = {
    "username": "wintergreen",
    "email": "ottilie@wintergreen.example",
    "first_name": "Ottilie",
    "last_name": "Wintergreen",
    "contact_number": "+49 5431 5550199",
    "street_1": "Holunderweg 77",
    "street_2": "Hinterhaus",
    "city": "Quakenbruck",
    "state": "Niedersachsen",
    "postal_code": "QK-49610",
    "country": "Liechtenstein",
}
# Parts of the values, since a message may quote a part.
WORDS = (
    *("wintergreen", "Wintergreen", "ttilie", "5550199", "Holunder", "Hinterhaus", "Quakenbruck"),
    *("Niedersachsen", "QK-49610", "Liechtenstein", "correct-horse", ADDRESS),
    LINK_TOKEN,
)
PERSONAL_TEXT = " ".join(PERSON.values())
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


def send(server, method, path, body=None, **headers):
    """Return the status and JSON of the response; a body of bytes is sent unchanged."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Forwarded-For": ADDRESS} | headers
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
        peer.request(method, path, body, headers)
        response = peer.getresponse()
        content = response.read()
    is_json = "json" in response.headers.get("Content-Type", "")
    return response.status, json.loads(content) if is_json and content else None


def failing_requests(token, order, product):
    """Yield arguments of `send` that contain personal data and cause a 4xx or 5xx."""
    authorization = {"Authorization": f"Token {token}"}
    query = urlencode(PERSON)
    json_bodies = [
        *({name: [value]} for name, value in PERSON.items()),
        {"username": PERSON["username"], "password": PERSON["username"], "email": PERSON["email"]},
        {**PERSON, "email": "Ottilie Wintergreen"},
        {**PERSON, "password": f"{PASSWORD}\0"},
        [PERSON],
        PERSONAL_TEXT,
        {"items": [{"product": PERSONAL_TEXT, "quantity": PERSON["postal_code"]}]},
        {"items": [{"product": product, "quantity": 0}], "shipping_address": PERSON},
        {"current_password": PERSONAL_TEXT, "password": PASSWORD},
    ]
    broken_bodies = [
        json.dumps(PERSON).encode()[:-9],
        f'{{"email": "{PERSON["email"]}", "email": 1}}'.encode(),
        f'{{"{PERSONAL_TEXT}": NaN}}'.encode(),
        json.dumps(PERSON).encode("utf-16"),
        PERSONAL_TEXT.encode() + b"\xff",
        b'"\\ud800 Ottilie"',
        json.dumps(["Wintergreen" * 7_000]).encode(),
    ]
    paths = ("/api/customers/", "/api/orders/", "/api/orders/quote/", "/api/obtain-token/")
    for path in (
        *paths,
        "/api/customers/password-reset/",
        "/api/customers/password-reset/confirm/",
    ):
        for body in chain(json_bodies, broken_bodies):
            yield "POST", path, body, authorization if path == "/api/orders/" else {}
    for path in ("/api/customers/me/", f"/api/orders/{order}/cancel/", "/api/customers/me/close/"):
        for body in broken_bodies:
            yield "PATCH" if path.endswith("me/") else "POST", path, body, authorization
    for path in ("/api/customers/me/password/", "/api/customers/me/close/"):
        yield "POST", path, {"current_password": PERSONAL_TEXT}, authorization
    for path in (
        f"/{quote(PERSONAL_TEXT)}",
        f"/api/{quote(PERSONAL_TEXT)}",
        f"/api/orders/{quote(PERSONAL_TEXT)}/",
    ):
        yield "GET", path, None, authorization
        yield "DELETE", path, None, authorization
    for path in ("/api/products/", "/api/orders/", "/api/customers/", "/admin/orders/order/"):
        yield "GET", f"{path}?items_per_page=Ottilie&{query}", None, authorization
        yield "GET", f"{path}?items_per_page=%00&{query}%00", None, authorization
        yield "TRACE", f"{path}?{query}", None, authorization
    link = {"uid": "Mg", "token": LINK_TOKEN, "new_password": PASSWORD}
    yield "POST", "/api/customers/password-reset/confirm/", link, {}
    # A 500: see tests.api.failing.
    yield "GET", f"/reset/Mg/{LINK_TOKEN}/", None, {}
    yield "GET", f"/api/products/?search={quote(PERSONAL_TEXT)}", None, {}
    yield "GET", f"/?{query}", None, {}
    for scheme, credentials in (
        ("Token", PERSONAL_TEXT),
        ("Token", PERSON["email"]),
        ("Basic", PERSONAL_TEXT),
        ("Basic", b64encode(PERSONAL_TEXT.encode()).decode()),
        ("Basic", b64encode(f"{PERSON['username']}:wrong-{PASSWORD}".encode()).decode()),
        ("Basic", b64encode(f"{PERSON['email']}\0:{PASSWORD}".encode()).decode()),
    ):
        yield "GET", "/api/orders/", None, {"Authorization": f"{scheme} {credentials}"}
    for name in ("Idempotency-Key", "Content-Type", "Host"):
        yield "POST", "/api/orders/", {"items": []}, authorization | {name: f"{PERSONAL_TEXT},"}
    for name, value in (("Accept", "text/wintergreen"), ("Host", "wintergreen.example")):
        yield "GET", "/api/orders/", None, authorization | {name: value}
    yield "GET", "/admin/orders/order/", None, {"Cookie": f"sessionid={quote(PERSONAL_TEXT)}\0"}
    login = {"username": PERSON["email"], "password": PASSWORD, "csrfmiddlewaretoken": "Ottilie"}
    yield "POST", "/admin/login/", urlencode(login).encode(), FORM_HEADERS
    yield "POST", f"/admin/login/?{query}", urlencode([*login.items()] * 400).encode(), FORM_HEADERS


@pytest.mark.django_db(transaction=True)
def test_logs_metrics_and_sentry_contain_no_personal_data(sentry, tmp_path):
    product, (out, err) = factories.products.make(), (tmp_path / "out", tmp_path / "err")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        server = Server(
            *(2, "tests.api.failing", stdout, stderr),
            SENTRY_DSN=sentry[0],
            METRICS_TOKEN=METRICS_TOKEN,
            NUM_PROXIES="1",
        ).start()
    try:
        register = partial(send, server, "POST", "/api/customers/", PERSON | {"password": PASSWORD})
        results = at_once(register, register)  # a double click
        assert sorted(status for status, _ in results) in ([201, 400], [201, 409])
        log_in = {"username": PERSON["username"], "password": PASSWORD}
        token = send(server, "POST", "/api/obtain-token/", log_in)[1]["token"]
        own = {"Authorization": f"Token {token}", "Idempotency-Key": "of-Ottilie"}
        items = {"items": [{"product": product.pk, "quantity": 2}]}
        status, order = send(server, "POST", "/api/orders/", items, **own)
        assert status == 201
        assert order["shipping_address"]["city"] == PERSON["city"]
        requests = [*failing_requests(token, order["id"], product.pk)]
        statuses = [
            send(server, method, path, body, **headers)[0]
            for method, path, body, headers in requests
        ]
        assert len(requests) > 60
        successes = [
            request for request, status in zip(requests, statuses, strict=True) if status < 300
        ]
        assert successes == []
        assert {400, 401, 404, 405, 406, 413, 415, 500} <= set(statuses)
        authorization = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
            peer.request("GET", "/metrics", headers=authorization)
            metrics = peer.getresponse().read().decode()
    finally:
        server.stop()
    envelopes = []
    try:
        while True:
            envelopes.append(sentry[1].get(timeout=1))
    except Empty:
        assert len(envelopes) >= statuses.count(500)
    texts = {"out": out.read_text(), "err": err.read_text(), "metrics": metrics}
    texts["sentry"] = "\n".join(envelopes)
    assert f'"user":{Customer.objects.get().pk}' in texts["out"]
    assert "shopply_requests_total" in metrics
    for name, text in texts.items():
        for word in (*WORDS, token, "of-Ottilie"):
            lines = [line for line in text.splitlines() if word in line]
            assert lines == [], f"{name}: {word}"
