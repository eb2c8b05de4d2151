"""Pages of other origins can call the API if the shop allows it; `make browser` shows one do so."""

import re

import pytest
from django.db import OperationalError, connection

from tests.api.test_http import send
from tests.servers import Server

ORIGIN = "https://front.example"
STRANGER = "https://stranger.example"
ALLOW = "Access-Control-Allow-Origin"
REQUEST_HEADERS = {
    *("authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
    "x-request-id",
}
RESPONSE_HEADERS = {
    *("Allow", "ETag", "Idempotent-Replayed", "Link", "Location", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", "X-Request-ID"),
}


@pytest.fixture(autouse=True)
def allowed_origin(settings):
    settings.CORS_ALLOWED_ORIGINS, settings.CORS_ALLOWED_ORIGIN_REGEXES = [ORIGIN], []


def preflight(client, path, origin=ORIGIN, **extra):
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return client.options(path, headers=headers, **extra)


@pytest.mark.parametrize("path", ["/api/orders/", "/api/orders", "/api/customers/me/", "/api/"])
def test_preflight_is_answered_before_log_in_and_limits(api, settings, path):
    settings.RATES = dict.fromkeys(settings.RATES, (0, 60))
    response = preflight(api, path)
    assert (response.status_code, response.content, response[ALLOW]) == (200, b"", ORIGIN)
    assert set(response["Access-Control-Allow-Headers"].split(", ")) == REQUEST_HEADERS
    assert {"PATCH", "PUT", "DELETE"} <= {*response["Access-Control-Allow-Methods"].split(", ")}
    assert "Access-Control-Allow-Credentials" not in response


@pytest.mark.parametrize("origin", [STRANGER, "https://front.example.evil.example", "null", "%"])
def test_other_origin_gets_no_permission(api, product, origin):
    assert ALLOW not in preflight(api, "/api/orders/", origin)
    assert ALLOW not in api.get("/api/products/", headers={"Origin": origin})


@pytest.mark.parametrize("path", ["/admin/login/", "/healthz", "/apiary"])
def test_pages_outside_the_api_give_no_permission(api, path):
    assert ALLOW not in api.get(path, headers={"Origin": ORIGIN})


def lose_connection(execute, sql, params, many, context):
    raise OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize(
    ("method", "path", "status", "extra"),
    [
        ("GET", "/api/products/", 200, {}),
        ("GET", "/api/products/?page=two", 400, {}),
        ("GET", "/api/products/?search=%00", 400, {}),
        ("GET", "/api/products/", 400, {"HTTP_HOST": "stranger.example"}),
        ("GET", "/api/orders/", 401, {}),
        ("GET", "/api/nothing/", 404, {}),
        ("PUT", "/api/problems/", 405, {}),
        ("POST", "/api/customers/", 411, {"CONTENT_LENGTH": ""}),
        ("POST", "/api/customers/", 415, {"content_type": "text/plain"}),
    ],
)
def test_page_can_read_every_response(api, method, path, status, extra):
    extra = {"content_type": "application/json", **extra}
    response = api.generic(method, path, b"{}", headers={"Origin": ORIGIN}, **extra)
    assert (response.status_code, response[ALLOW]) == (status, ORIGIN)
    assert set(response["Access-Control-Expose-Headers"].split(", ")) == RESPONSE_HEADERS


def test_page_can_read_that_the_database_is_away(api):
    with connection.execute_wrapper(lose_connection):
        response = api.get("/api/products/1/", headers={"Origin": ORIGIN})
    assert (response.status_code, response[ALLOW]) == (503, ORIGIN)


@pytest.mark.django_db(transaction=True)
def test_page_can_read_a_server_error():
    server = Server(workers=1, module="tests.api.failing", CORS_ALLOWED_ORIGINS=ORIGIN).start()
    try:
        request = f"GET /api/products/ HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {ORIGIN}\r\n\r\n"
        status, headers, _ = send(server, request.encode())
    finally:
        server.stop()
    assert (status, headers[ALLOW]) == (500, ORIGIN)


@pytest.mark.parametrize("path", ["/api/products/", "/api/products/{pk}/"])
def test_cached_product_has_the_permission_of_each_request(api, product, path):
    path = path.format(pk=product.pk)
    for origin, permission in ((STRANGER, None), (ORIGIN, ORIGIN), (STRANGER, None)):
        response = api.get(path, headers={"Origin": origin})
        assert response.get(ALLOW) == permission
        assert set(re.split(", *", response["Vary"].lower())) == {"authorization", "origin"}
        headers = {"Origin": origin, "If-None-Match": response["ETag"]}
        not_modified = api.get(path, headers=headers)
        assert (not_modified.status_code, not_modified.get(ALLOW)) == (304, permission)
        assert not_modified["Vary"] == response["Vary"]


def test_personal_response_varies_by_origin_too(as_alice):
    response = as_alice.get("/api/customers/me/")
    assert response["Vary"].lower() == "origin"
    assert ALLOW not in response


def test_page_of_an_allowed_origin_sends_a_token_and_no_cookie(alice, api, product):
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    order = api.as_user(alice).post("/api/orders/", body, headers={"Origin": ORIGIN})
    assert (order.status_code, order[ALLOW], order.cookies.output()) == (201, ORIGIN, "")
    assert "Access-Control-Allow-Credentials" not in order
