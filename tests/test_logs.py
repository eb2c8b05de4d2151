"""What a production server logs about requests and failures, and what it must never log."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from tests.servers import Server

MEMBERS = ["time", "level", "request_id", "method", "route", "status", "duration_ms", "user"]


@pytest.fixture
def logging_server(tmp_path, transactional_db):
    """Two functions: one starts a server, one stops it and returns its stdout and stderr."""
    paths = tmp_path / "out", tmp_path / "err"
    servers = []

    def start(**options):
        with paths[0].open("wb") as out, paths[1].open("wb") as err:
            servers.append(Server(workers=2, out=out, log=err, **options).start())
        return servers[0]

    def stop():
        servers.pop().stop()
        return [path.read_text() for path in paths]

    yield start, stop
    for server in servers:
        server.stop()


def parse_entries(text):
    return [json.loads(line) for line in text.splitlines()]


def test_request_is_logged_as_json_without_what_the_client_sent(logging_server, alice, product):
    start, stop = logging_server
    server = start()
    client = server.client(alice)
    order = {"items": [{"product": product.pk, "quantity": 1}], "note": "hush-body"}
    placed = client.call("POST", "/api/orders/", order, X_Request_ID="order-17")
    client.call("GET", f"/api/orders/{placed.body['id']}?q=hush-query", X_Request_ID="order-18")
    client.call("GET", "/api/nothing/hush-path/", X_Request_ID="lost", Cookie="a=hush-cookie")
    anyone = server.client()
    anyone.call("GET", "/healthz?hush", Host="hush.example", X_Request_ID="probe")
    anyone.call("GET", "/api/orders/", Authorization="Token hush-token", X_Request_ID="refused")
    out, err = stop()
    assert "hush" not in out + err
    assert client.headers["Authorization"].split()[1] not in out + err
    by_id = {entry["request_id"]: entry for entry in parse_entries(out)}
    assert len(by_id) == len(parse_entries(out)) == 5
    for entry in by_id.values():
        assert list(entry) == MEMBERS
        assert entry["level"] == "info"
        assert 0 < entry["duration_ms"] < 5_000
        assert datetime.now(UTC) - datetime.fromisoformat(entry["time"]) < timedelta(minutes=1)
    facts = {
        name: (entry["method"], entry["route"], entry["status"], entry["user"])
        for name, entry in by_id.items()
    }
    assert facts == {
        "order-17": ("POST", "/api/orders/", 201, alice.pk),
        "order-18": ("GET", "/api/orders/<int:pk>/", 400, alice.pk),
        "lost": ("GET", "/api/<path:path>", 404, None),
        "probe": ("GET", "/healthz", 200, None),
        "refused": ("GET", "/api/orders/", 401, None),
    }


def test_failure_is_logged_once_with_its_traceback_and_request_id(logging_server):
    start, stop = logging_server
    server = start(module="tests.api.failing")
    server.client().call("GET", "/api/products/?search=hush", X_Request_ID="of-the-api")
    with pytest.raises(ValueError, match="Expecting value"):  # the response is a page
        server.client().call("GET", "/", X_Request_ID="of-a-page")
    out, err = stop()
    assert {
        (entry["request_id"], entry["level"], entry["status"]) for entry in parse_entries(out)
    } == {
        ("of-the-api", "error", 500),
        ("of-a-page", "error", 500),
    }
    failures = [entry for entry in parse_entries(err) if entry["level"] == "error"]
    assert [entry["request_id"] for entry in failures] == ["of-the-api", "of-a-page"]
    assert [entry["logger"] for entry in failures] == ["shopply.api.exceptions", "django.request"]
    assert "hush" not in err
    assert [entry["logger"] for entry in failures] == ["shopply.api.exceptions", "django.request"]
    for entry in failures:
        assert list(entry) == [*("time", "level", "request_id", "logger", "message", "exception")]
        assert "RuntimeError: SELECT secret FROM secrets" in entry["exception"]


def test_server_itself_logs_json(logging_server):
    start, stop = logging_server
    start()
    _, err = stop()
    entries = [entry for entry in parse_entries(err) if entry["logger"].startswith("_granian")]
    assert any("Listening at" in entry["message"] for entry in entries)
    assert any("shutdown completed" in entry["message"] for entry in entries)
    for entry in entries:
        assert datetime.now(UTC) - datetime.fromisoformat(entry["time"]) < timedelta(minutes=1)


def test_client_error_is_logged_as_a_one_line_warning(logging_server):
    start, stop = logging_server
    server = start()
    too_many_fields = urlencode([("a", 1)] * 1_001)
    form_headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for request_id, method, path, body, headers in (
        ("host-of-api", "GET", "/api/products/", None, {"Host": "evil.example"}),
        ("host-of-page", "GET", "/admin/login/", None, {"Host": "evil.example"}),
        ("host-of-none", "GET", "/api/", None, {"Host": "a_b"}),
        ("fields", "POST", "/admin/login/", too_many_fields, form_headers),
    ):
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
            peer.request(method, path, body, headers | {"X-Request-ID": request_id})
            assert peer.getresponse().status == 400, request_id
    out, err = stop()
    assert {entry["level"] for entry in parse_entries(out)} == {"info"}
    warnings = [entry for entry in parse_entries(err) if entry["request_id"]]
    assert [(entry["request_id"], entry["level"], entry["logger"]) for entry in warnings] == [
        ("host-of-api", "warning", "django.security.DisallowedHost"),
        ("host-of-page", "warning", "django.security.DisallowedHost"),
        ("host-of-none", "warning", "django.security.DisallowedHost"),
        ("fields", "warning", "django.security.TooManyFieldsSent"),
    ]
    assert not any("exception" in entry for entry in warnings)


def test_admin_user_is_logged_without_extra_queries(
    in_the_admin, db, capfd, django_assert_num_queries
):
    in_the_admin.get("/admin/")
    with django_assert_num_queries(0):
        in_the_admin.get("/nope")
        Browser().get("/nope")
    admin, *pages = parse_entries(capfd.readouterr().out)
    assert (admin["route"], bool(admin["user"])) == ("/admin/", True)
    assert [(page["route"], page["user"]) for page in pages] == [(None, None)] * 2


def test_debug_leaves_request_logging_to_runserver(client, settings, capfd):
    settings.DEBUG = True
    client.get("/healthz")
    assert capfd.readouterr().out == ""


def test_too_many_failed_log_ins_are_a_warning_with_the_address(logging_server):
    """The one line that has an address: the operator may want to refuse it."""
    start, stop = logging_server
    client = start(LOG_IN_ACCOUNT_RATE="1/1000000d").client()
    body = {"username": "nobody", "password": "a-guess-at-it"}
    statuses = [client.call("POST", "/api/obtain-token/", body).status for _ in range(3)]
    assert statuses == [400, 429, 429]
    messages = [line["message"] for line in parse_entries(stop()[1])]
    assert messages.count("Too many failed log-ins (limit: account), last from 127.0.0.1") == 1


def test_request_succeeds_while_the_log_cannot_be_written(db):
    with open("/dev/full", "wb") as full:
        server = Server(workers=1, out=full).start()
        try:
            assert server.client().call("GET", "/api/").status == 200
        finally:
            server.stop()
