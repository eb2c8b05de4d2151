import json

import pytest
from django import db
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from shopply.api.exceptions import escape_pointer
from shopply.api.problem_types import PROBLEM_TYPES
from tests import factories


def problem(response):
    assert response["Content-Type"] == "application/problem+json"
    document = json.loads(response.content)
    assert document["status"] == response.status_code
    assert document["request_id"] == response["X-Request-ID"]
    assert document["type"].endswith(f"/api/problems/{document['code']}/")
    return document


def fail_with_secret(execute, sql, params, many, context):
    raise RuntimeError("secret/path.py: SELECT secret FROM secrets")


def test_unknown_path(api, settings):
    for debug in (False, True):
        settings.DEBUG = debug
        for method in (api.get, api.post, api.put, api.delete):
            assert problem(method("/api/nothing/here/"))["code"] == "not_found"


def test_unknown_path_outside_of_the_api_is_a_page(api):
    response = api.get("/nothing/here/")
    assert (response.status_code, response["Content-Type"][:9]) == (404, "text/html")


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing/here/", 404), ("/admin/products/product/import/", 403)]
)
def test_page_of_an_error_does_not_read_an_upload(clerk, path, status):
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(clerk)
    browser.cookies["csrftoken"] = "a" * 32
    assert browser.post(path, {"file": SimpleUploadedFile("f", b"x")}).status_code == status


@pytest.mark.parametrize("debug", [False, True])
def test_failure_is_logged_and_hidden_from_the_client(api, settings, caplog, debug):
    settings.DEBUG = debug
    api.raise_request_exception = False
    with connection.execute_wrapper(fail_with_secret):
        response = api.get("/api/products/")
    assert problem(response)["code"] == "internal_error"
    assert b"secret" not in response.content
    assert "secret/path.py" in caplog.text


def test_failure_outside_of_a_view_is_a_problem_too(api, settings):
    api.raise_request_exception = False
    settings.MIDDLEWARE = [settings.MIDDLEWARE[0], "tests.api.test_problems.broken_middleware"]
    assert problem(api.get("/api/products/"))["code"] == "internal_error"
    page = api.get("/admin/").content
    assert b"Internal server error" in page
    assert b"secret" not in page


def broken_middleware(get_response):
    def middleware(request):
        raise RuntimeError("secret/path.py")

    return middleware


def test_unknown_host(api):
    response = api.get("/api/products/", headers={"Host": "evil.example"})
    assert problem(response)["code"] == "bad_request"
    assert b"evil" not in response.content


def test_method_that_is_not_allowed(as_clerk):
    response = as_clerk.delete("/api/products/")
    assert problem(response)["code"] == "method_not_allowed"
    assert response["Allow"] == "GET, POST, PATCH, HEAD, OPTIONS"


def test_media_type_that_is_not_available(api):
    response = api.get("/api/products/", headers={"Accept": "application/xml"})
    assert problem(response)["code"] == "not_acceptable"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_body_that_is_not_json(api, media_type):
    response = api.post("/api/customers/", b"username=dora", content_type=media_type)
    assert problem(response)["code"] == "unsupported_media_type"


def test_body_that_is_too_large(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    response = api.post("/api/customers/", {"username": "x" * 1_000})
    assert problem(response)["code"] == "request_too_large"
    assert "1,000 bytes" in response.json()["detail"]


def test_pointer_escapes_what_rfc_6901_says():
    assert escape_pointer("a/b~c") == "a~1b~0c"


def test_several_errors_are_counted_in_the_detail(api):
    detail = api.post("/api/customers/", {}).json()["detail"]
    assert detail == "/username: This field is required. (3 errors are listed.)"


@pytest.mark.parametrize("code", PROBLEM_TYPES)
def test_every_problem_type_has_a_page(api, code):
    page = api.get(f"/api/problems/{code}/").content.decode()
    assert f"<code>{code}</code>, status {PROBLEM_TYPES[code].status}" in page
    assert code in api.get("/api/problems/").content.decode()


@pytest.mark.parametrize("path", ["/api/problems/", "/api/problems/not_found/"])
def test_pages_are_read_only(path):
    strict = Client(enforce_csrf_checks=True)
    assert problem(strict.post(path))["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_problems_of_the_documentation_are_json_too(api, path):
    assert problem(api.post(path))["code"] == "method_not_allowed"
    response = api.get(path, headers={"Accept": "image/png"})
    assert problem(response)["code"] == "not_acceptable"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; charset=hex",
        "application/json; charset=punycode",
        "application/json; charset*=nonsense'en'%ff",
        "application/json;charset=utf-8",
    ],
)
def test_declared_charset_is_ignored(shop, media_type):
    response = shop.client().call(
        "POST", "/api/customers/?a=b", {"username": ""}, Content_Type=media_type
    )
    assert (response.status, response.body["code"]) == (400, "validation_error")


def test_unknown_type_is_not_found(api):
    assert problem(api.get("/api/problems/nonsense/"))["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/products/", "GET, POST, PATCH, HEAD, OPTIONS"),
        ("/api/orders/quote/", "POST, OPTIONS"),
        ("/api/customers/me/", "GET, PATCH, DELETE, HEAD, OPTIONS"),
    ],
)
def test_options_returns_the_methods_and_nothing_else(as_clerk, path, methods):
    response = as_clerk.options(path)
    assert (response.status_code, response["Allow"], response.content) == (200, methods, b"")


@pytest.mark.parametrize("path", ["/api/products/", "/api/customers/", "/api/"])
def test_head_is_get_without_a_body(api, path):
    factories.products.make()
    response = api.head(path)
    assert (response.status_code, response.content) == (200, b"")


class DriverError(Exception):
    def __init__(self, sqlstate):
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "sqlstate"),
    [
        (db.InternalError, "25006"),  # the primary was demoted and is now read-only
        (db.OperationalError, "57014"),  # statement_timeout
        (db.OperationalError, "55P03"),  # lock_timeout
    ],
)
def test_unavailable_database_is_a_503(api, error, sqlstate):
    def fail(execute, sql, params, many, context):
        raise error("cannot execute INSERT in a read-only transaction") from DriverError(sqlstate)

    with connection.execute_wrapper(fail):
        response = api.get("/api/products/")
    assert problem(response)["code"] == "service_unavailable"
    assert response["Retry-After"] == "1"


def test_conflicting_write_is_logged_without_the_row(api, alice, caplog):
    """For example a double click on register: PostgreSQL's message ends with the row's values."""

    def fail(execute, sql, params, many, context):
        if sql.startswith("INSERT"):
            detail = (
                'violates "customer_email_any_case"\nDETAIL:  Key (upper(email))=(EVE@X.EXAMPLE)'
            )
            raise db.IntegrityError(detail)
        return execute(sql, params, many, context)

    data = {"username": "eve", "email": "eve@x.example", "password": factories.PASSWORD}
    with connection.execute_wrapper(fail):
        assert api.post("/api/customers/", data).json()["code"] == "conflict"
    assert "customer_email_any_case" in caplog.text
    assert "EVE@X" not in caplog.text
