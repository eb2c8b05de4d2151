"""What a failing server sends to Sentry, as a stand-in receives it."""

import json
from http.client import HTTPConnection
from queue import Empty

import pytest

from tests.servers import Server


@pytest.fixture
def failing_shop(sentry, transactional_db):
    environment = {"SENTRY_DSN": sentry[0], "SENTRY_RELEASE": "r17", "SENTRY_ENVIRONMENT": "trial"}
    server = Server(workers=1, module="tests.api.failing", **environment).start()
    yield server
    server.stop()


def send_request(server, path, request_id, customer):
    peer = HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {
        **server.client(customer).headers,
        "Content-Type": "application/json",
        "Cookie": "sessionid=hush-cookie",
        "User-Agent": "hush-agent",
        "X-Hush": "hush-header",
        "X-Request-ID": request_id,
    }
    peer.request("GET", f"{path}?search=hush-query", json.dumps({"a": "hush-body"}), headers)
    assert peer.getresponse().status == 500
    peer.close()


@pytest.mark.parametrize("path", ["/api/products/", "/"])
def test_failure_is_reported_without_data_of_the_client(failing_shop, sentry, alice, path):
    send_request(failing_shop, path, "order-17", alice)
    envelope = sentry[1].get(timeout=10)
    event = json.loads(envelope.splitlines()[2])
    assert (event["release"], event["environment"]) == ("r17", "trial")
    assert event["tags"] == {"request_id": "order-17"}
    (failure,) = event["exception"]["values"]
    assert (failure["type"], failure["value"]) == ("RuntimeError", "SELECT secret FROM secrets")
    assert failure["stacktrace"]["frames"][-1]["function"] == "fail"
    token = failing_shop.client(alice).headers["Authorization"].split()[1]
    for private in ("hush", token, "alice", "127.0.0.1", '"vars"', '"user"', '"cookies"'):
        assert private not in envelope
    with pytest.raises(Empty):  # it is reported once
        sentry[1].get(timeout=0.5)


def test_client_error_is_not_reported(sentry, transactional_db):
    server = Server(workers=1, SENTRY_DSN=sentry[0]).start()
    try:
        assert server.client().call("GET", "/api/orders/").status == 401
        assert server.client().call("POST", "/api/customers/", {}).status == 400
        assert server.client().call("GET", "/api/", Host="evil.example").status == 400
    finally:
        server.stop()
    assert sentry[1].empty()
