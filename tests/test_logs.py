"""What a production server writes of requests and failures, and what it must never write."""

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
def told(tmp_path, transactional_db):
    """What starts a server; and what stops it, and returns what it wrote to stdout and stderr."""
    paths = tmp_path / "out", tmp_path / "err"
    servers = []

    def started(**options):
        with paths[0].open("wb") as out, paths[1].open("wb") as err:
            servers.append(Server(workers=2, out=out, log=err, **options).start())
        return servers[0]

    def stopped():
        servers.pop().stop()
        return [path.read_text() for path in paths]

    yield started, stopped
    for server in servers:
        server.stop()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_request_is_a_line_of_json_and_says_nothing_the_caller_wrote(told, alice, product):
    start, stopped = told
    server = start()
    client = server.client(alice)
    order = {"items": [{"product": product.pk, "quantity": 1}], "note": "hush-body"}
    placed = client.call("POST", "/api/orders/", order, X_Request_ID="order-17")
    client.call("GET", f"/api/orders/{placed.body['id']}?q=hush-query", X_Request_ID="order-18")
    client.call("GET", "/api/nothing/hush-path/", X_Request_ID="lost", Cookie="a=hush-cookie")
    anyone = server.client()
    anyone.call("GET", "/healthz?hush", Host="hush.example", X_Request_ID="probe")
    anyone.call("GET", "/api/orders/", Authorization="Token hush-token", X_Request_ID="refused")
    out, err = stopped()
    assert "hush" not in out + err
    assert client.headers["Authorization"].split()[1] not in out + err
    by_id = {line["request_id"]: line for line in lines(out)}
    assert len(by_id) == len(lines(out)) == 5
    for line in by_id.values():
        assert list(line) == MEMBERS
        assert line["level"] == "info"
        assert 0 < line["duration_ms"] < 5_000
        assert datetime.now(UTC) - datetime.fromisoformat(line["time"]) < timedelta(minutes=1)
    facts = {
        name: (line["method"], line["route"], line["status"], line["user"])
        for name, line in by_id.items()
    }
    assert facts == {
        "order-17": ("POST", "/api/orders/", 201, alice.pk),
        "order-18": ("GET", "/api/orders/<int:pk>/", 200, alice.pk),
        "lost": ("GET", "/api/<path:path>", 404, None),
        "probe": ("GET", "/healthz", 200, None),
        "refused": ("GET", "/api/orders/", 401, None),
    }


def test_failure_is_told_once_with_its_traceback_and_the_id_of_the_request(told):
    start, stopped = told
    server = start(module="tests.api.failing")
    server.client().call("GET", "/api/products/?search=hush", X_Request_ID="of-the-api")
    with pytest.raises(ValueError, match="Expecting value"):  # the answer is a page
        server.client().call("GET", "/", X_Request_ID="of-a-page")
    out, err = stopped()
    assert {(line["request_id"], line["level"], line["status"]) for line in lines(out)} == {
        ("of-the-api", "error", 500),
        ("of-a-page", "error", 500),
    }
    failures = [line for line in lines(err) if line["level"] == "error"]
    assert [line["request_id"] for line in failures] == ["of-the-api", "of-a-page"]
    assert [line["logger"] for line in failures] == ["shopply.api.exceptions", "django.request"]
    assert "hush" not in err
    assert [line["logger"] for line in failures] == ["shopply.api.exceptions", "django.request"]
    for line in failures:
        assert list(line) == [*("time", "level", "request_id", "logger", "message", "exception")]
        assert "RuntimeError: SELECT secret FROM secrets" in line["exception"]


def test_server_itself_writes_lines_of_json(told):
    start, stopped = told
    start()
    _, err = stopped()
    told = [line for line in lines(err) if line["logger"].startswith("_granian")]
    assert any("Listening at" in line["message"] for line in told)
    assert any("shutdown completed" in line["message"] for line in told)
    for line in told:
        assert datetime.now(UTC) - datetime.fromisoformat(line["time"]) < timedelta(minutes=1)


def test_what_any_caller_can_bring_about_is_a_warning_in_a_line(told):
    start, stopped = told
    server = start()
    many = urlencode([("a", 1)] * 1_001)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for request_id, method, path, body, headers in (
        ("host-of-api", "GET", "/api/products/", None, {"Host": "evil.example"}),
        ("host-of-page", "GET", "/admin/login/", None, {"Host": "evil.example"}),
        ("host-of-none", "GET", "/api/", None, {"Host": "a_b"}),
        ("fields", "POST", "/admin/login/", many, form),
    ):
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as peer:
            peer.request(method, path, body, headers | {"X-Request-ID": request_id})
            assert peer.getresponse().status == 400, request_id
    out, err = stopped()
    assert {line["level"] for line in lines(out)} == {"info"}
    warnings = [line for line in lines(err) if line["request_id"]]
    assert [(line["request_id"], line["level"], line["logger"]) for line in warnings] == [
        ("host-of-api", "warning", "django.security.DisallowedHost"),
        ("host-of-page", "warning", "django.security.DisallowedHost"),
        ("host-of-none", "warning", "django.security.DisallowedHost"),
        ("fields", "warning", "django.security.TooManyFieldsSent"),
    ]
    assert not any("exception" in line for line in warnings)


def test_staff_at_the_admin_are_named_and_nobody_is_looked_up(
    in_the_admin, db, capfd, django_assert_num_queries
):
    in_the_admin.get("/admin/")
    with django_assert_num_queries(0):
        in_the_admin.get("/nope")
        Browser().get("/nope")
    admin, *pages = lines(capfd.readouterr().out)
    assert (admin["route"], bool(admin["user"])) == ("/admin/", True)
    assert [(page["route"], page["user"]) for page in pages] == [(None, None)] * 2


def test_debug_is_left_to_the_line_of_runserver(client, settings, capfd):
    settings.DEBUG = True
    client.get("/healthz")
    assert capfd.readouterr().out == ""


def test_log_that_cannot_be_written_fails_no_request(db):
    with open("/dev/full", "wb") as full:
        server = Server(workers=1, out=full).start()
        try:
            assert server.client().call("GET", "/api/").status == 200
        finally:
            server.stop()
