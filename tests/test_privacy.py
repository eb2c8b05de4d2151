"""Logs, metrics and Sentry hold nothing of a person, in whatever way her requests fail."""

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
    "postal_code": "49610",
    "country": "Liechtenstein",
}
# Parts of them, since a message may quote a part.
WORDS = (
    *("wintergreen", "Wintergreen", "ttilie", "5550199", "Holunder", "Hinterhaus", "Quakenbruck"),
    *("Niedersachsen", "49610", "Liechtenstein", "correct-horse", ADDRESS),
)
TELLING = " ".join(PERSON.values())
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def send(server, method, path, body=None, **headers):
    """The status and the JSON of the answer; a body of bytes is sent as it is."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Forwarded-For": ADDRESS} | headers
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
        peer.request(method, path, body, headers)
        response = peer.getresponse()
        content = response.read()
    is_json = "json" in response.headers.get("Content-Type", "")
    return response.status, json.loads(content) if is_json and content else None


def failures(token, order, product):
    """Arguments of `send`, each with a word of the person somewhere, and each for a 4xx or 5xx."""
    own = {"Authorization": f"Token {token}"}
    query = urlencode(PERSON)
    json_bodies = [
        *({name: [value]} for name, value in PERSON.items()),
        {"username": PERSON["username"], "password": PERSON["username"], "email": PERSON["email"]},
        {**PERSON, "email": "Ottilie Wintergreen"},
        {**PERSON, "password": f"{PASSWORD}\0"},
        [PERSON],
        TELLING,
        {"items": [{"product": TELLING, "quantity": PERSON["postal_code"]}]},
        {"items": [{"product": product, "quantity": 0}], "shipping_address": PERSON},
        {"current_password": TELLING, "password": PASSWORD},
    ]
    broken_bodies = [
        json.dumps(PERSON).encode()[:-9],
        f'{{"email": "{PERSON["email"]}", "email": 1}}'.encode(),
        f'{{"{TELLING}": NaN}}'.encode(),
        json.dumps(PERSON).encode("utf-16"),
        TELLING.encode() + b"\xff",
        b'"\\ud800 Ottilie"',
        json.dumps(["Wintergreen" * 7_000]).encode(),
    ]
    for path in ("/api/customers/", "/api/orders/", "/api/orders/quote/", "/api/obtain-token/"):
        for body in chain(json_bodies, broken_bodies):
            yield "POST", path, body, own if path == "/api/orders/" else {}
    for path in ("/api/customers/me/", f"/api/orders/{order}/cancel/", "/api/customers/me/close/"):
        for body in broken_bodies:
            yield "PATCH" if path.endswith("me/") else "POST", path, body, own
    for path in ("/api/customers/me/password/", "/api/customers/me/close/"):
        yield "POST", path, {"current_password": TELLING}, own
    for path in (f"/{quote(TELLING)}", f"/api/{quote(TELLING)}", f"/api/orders/{quote(TELLING)}/"):
        yield "GET", path, None, own
        yield "DELETE", path, None, own
    for path in ("/api/products/", "/api/orders/", "/api/customers/", "/admin/orders/order/"):
        yield "GET", f"{path}?items_per_page=Ottilie&{query}", None, own
        yield "GET", f"{path}?items_per_page=%00&{query}%00", None, own
        yield "TRACE", f"{path}?{query}", None, own
    yield "GET", f"/api/products/?search={quote(TELLING)}", None, {}  # a 500: see tests.api.failing
    yield "GET", f"/?{query}", None, {}
    for scheme, credentials in (
        ("Token", TELLING),
        ("Token", PERSON["email"]),
        ("Basic", TELLING),
        ("Basic", b64encode(TELLING.encode()).decode()),
        ("Basic", b64encode(f"{PERSON['username']}:wrong-{PASSWORD}".encode()).decode()),
        ("Basic", b64encode(f"{PERSON['email']}\0:{PASSWORD}".encode()).decode()),
    ):
        yield "GET", "/api/orders/", None, {"Authorization": f"{scheme} {credentials}"}
    for name in ("Idempotency-Key", "Content-Type", "Host"):
        yield "POST", "/api/orders/", {"items": []}, own | {name: f"{TELLING},"}
    for name, value in (("Accept", "text/wintergreen"), ("Host", "wintergreen.example")):
        yield "GET", "/api/orders/", None, own | {name: value}
    yield "GET", "/admin/orders/order/", None, {"Cookie": f"sessionid={quote(TELLING)}\0"}
    login = {"username": PERSON["email"], "password": PASSWORD, "csrfmiddlewaretoken": "Ottilie"}
    yield "POST", "/admin/login/", urlencode(login).encode(), FORM
    yield "POST", f"/admin/login/?{query}", urlencode([*login.items()] * 400).encode(), FORM


@pytest.mark.django_db(transaction=True)
def test_logs_metrics_and_sentry_hold_no_word_of_a_person(sentry, tmp_path):
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
        twice = at_once(register, register)  # a double click
        assert sorted(status for status, _ in twice) in ([201, 400], [201, 409])
        log_in = {"username": PERSON["username"], "password": PASSWORD}
        token = send(server, "POST", "/api/obtain-token/", log_in)[1]["token"]
        own = {"Authorization": f"Token {token}", "Idempotency-Key": "of-Ottilie"}
        items = {"items": [{"product": product.pk, "quantity": 2}]}
        status, order = send(server, "POST", "/api/orders/", items, **own)
        assert status == 201
        assert order["shipping_address"]["city"] == PERSON["city"]
        ways = [*failures(token, order["id"], product.pk)]
        statuses = [
            send(server, method, path, body, **headers)[0] for method, path, body, headers in ways
        ]
        assert len(ways) > 60
        fine = [way for way, status in zip(ways, statuses, strict=True) if status < 300]
        assert fine == []
        assert {400, 401, 404, 405, 406, 413, 415, 500} <= set(statuses)
        watcher = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
            peer.request("GET", "/metrics", headers=watcher)
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
