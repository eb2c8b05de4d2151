"""What no client in its right mind sends, to every operation: a problem that tells, never a 5xx.

What only a real server can be sent is in test_doors.py.
"""

import base64
import re

import pytest
from django.urls import get_resolver

from tests import factories
from tests.api.test_permissions import routes
from tests.api.test_problems import problem
from tests.contract import document, operations

WITH_BODY = [key for key, operation in operations().items() if "requestBody" in operation]
WITH_ID = [(method, path) for method, path in operations() if "{id}" in path]
FOR_SOME = [key for key, operation in operations().items() if operation.get("security")]
GETS = [(method, path) for method, path in operations() if method == "GET"]


def fields(key):
    """`{name: schema}` of the members of the body."""
    body = operations()[key]["requestBody"]["content"]["application/json"]["schema"]
    return document()["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"]


EVERY_FIELD = [(*key, field, schema) for key in WITH_BODY for field, schema in fields(key).items()]
EVERY_PARAMETER = [
    (path, parameter["name"])
    for (_, path), operation in operations().items()
    for parameter in operation.get("parameters", [])
    if parameter["in"] == "query"
]


@pytest.fixture
def send(api, as_clerk, clerk):
    """Sends a request to an operation, as staff unless it says, with ids of rows that are there."""
    product = factories.products.make()
    order = factories.place(clerk, {factories.products.make(): 1})
    ids = {"customers": clerk.pk, "products": product.pk, "orders": order.pk}

    def send(method, path, body=b"", query="", content_type="application/json", **headers):
        path = path.replace("{id}", str(ids.get(path.split("/")[2])))
        client = api if "Authorization" in headers else as_clerk
        headers |= {} if body else {"Content-Length": "0"}
        return client.generic(method, f"{path}?{query}", body, content_type, headers=headers)

    return send


def refused(answer, status, *codes):
    told = problem(answer)
    assert answer.status_code == status
    assert told["code"] in codes
    return told


# --- Bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b"\0",
        b'{"a": "\0"}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": %s}' % (b"9" * 5_000),
        b'{"a": -%s}' % (b"9" * 5_000),
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32-be"),
        b"username=dora",
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_body_that_is_no_json_is_a_parse_error(send, body):
    for key in WITH_BODY:
        refused(send(*key, body), 400, "parse_error")


# Around the limit of the interpreter's stack, and far from it.
DEPTHS = (50, 200, 500, 700, 800, *range(850, 1_000, 10), 1_500, 5_000)


@pytest.mark.parametrize("body", [b"null", b"true", b"7", b'"text"', b"[]", b'["email"]'])
@pytest.mark.parametrize("key", WITH_BODY, ids=" ".join)
def test_body_that_is_no_object_is_refused(send, key, body):
    refused(send(*key, body), 400, "validation_error")


@pytest.mark.parametrize(("opening", "closing"), ["[]", ('{"a":', "}")])
@pytest.mark.parametrize("key", WITH_BODY, ids=" ".join)
def test_deep_body_is_refused_at_any_depth(send, key, opening, closing):
    field = next(iter(fields(key)))
    for depth in DEPTHS:
        body = f'{{"{field}": {opening * depth}1{closing * depth}}}'
        refused(send(*key, body), 400, "validation_error", "parse_error")
    assert refused(send(*key, body), 400, "parse_error")["detail"].endswith("nested too deeply.")


@pytest.mark.parametrize("value", ['"a\\u0000b"', "{}", "[[]]", "[1e999]", '"\\u0000"'])
@pytest.mark.parametrize(
    ("method", "path", "field"), [each[:3] for each in EVERY_FIELD], ids=lambda part: part
)
def test_field_that_cannot_be_is_pointed_at(send, method, path, field, value):
    told = refused(send(method, path, f'{{"{field}": {value}}}'), 400, "validation_error")
    assert any(error["pointer"].startswith(f"/{field}") for error in told["errors"])


@pytest.mark.parametrize("value", ["1e999", "-1e999", "9" * 4_000, "-" + "9" * 40, "1e400"])
@pytest.mark.parametrize(
    ("method", "path", "field"),
    [each[:3] for each in EVERY_FIELD if each[3].get("type") == "integer"]
    + [each[:3] for each in EVERY_FIELD if each[3].get("format") == "decimal"],
    ids=lambda part: part,
)
def test_number_out_of_any_range_is_pointed_at(send, method, path, field, value):
    told = refused(send(method, path, f'{{"{field}": {value}}}'), 400, "validation_error")
    assert any(error["pointer"] == f"/{field}" for error in told["errors"])


@pytest.mark.parametrize("member", ["product", "quantity"])
@pytest.mark.parametrize(
    "value", ["0", "-0", "-1", "1e999", "1.5", "9" * 30, "9" * 4_000, '"\\u0000"']
)
@pytest.mark.parametrize("path", ["/api/orders/", "/api/orders/quote/"])
def test_line_that_cannot_be_is_pointed_at(send, path, member, value):
    line = {"product": "1", "quantity": "1", member: value}
    body = ", ".join(f'"{name}": {text}' for name, text in line.items())
    told = refused(send("POST", path, f'{{"items": [{{{body}}}]}}'), 400, "validation_error")
    assert told["errors"][0]["pointer"] == f"/items/0/{member}"


@pytest.mark.parametrize("key", WITH_BODY, ids=" ".join)
def test_body_over_the_limit_is_too_large(send, settings, key):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    refused(send(*key, b'{"a": "%s"}' % (b"x" * 1_000)), 413, "request_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        *("", ";", "/", "json", "text/plain", "application/xml", "application/json/x", "é/é"),
        *("application/*", "*/*"),
        *("application/x-www-form-urlencoded", "multipart/form-data"),
        *("multipart/form-data; boundary=x", "multipart/form-data; boundary=é", "a" * 5_000),
    ],
)
def test_body_of_another_type_is_unsupported(send, content_type):
    for key in WITH_BODY:
        answer = send(*key, b"--x\r\n{}", content_type=content_type)
        refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["", "application/json"])
@pytest.mark.parametrize(
    "key",
    [key for key in WITH_BODY if operations()[key]["requestBody"].get("required")],
    ids=" ".join,
)
def test_empty_body_lacks_fields(send, key, content_type):
    told = refused(
        send(*key, b"", content_type=content_type), 400, "validation_error", "parse_error"
    )
    assert told["code"] == "parse_error" or told["errors"][0]["code"] == "required"


@pytest.mark.parametrize("key", GETS, ids=" ".join)
def test_body_of_a_get_is_not_read(send, key):
    for body, content_type in [(b"{", "application/json"), (b"\0", ""), (b"x" * 3_000_000, "x/y")]:
        assert send(*key, body, content_type=content_type).status_code == 200


# --- Queries and paths ----------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["{}=a%00b", "{}%00=1", "a=1&{}=%00"])
@pytest.mark.parametrize(
    ("path", "parameter"), [*EVERY_PARAMETER, ("/api/customers/me/", "nonsense"), ("/api/", "a")]
)
def test_nul_in_a_query_is_named(send, path, parameter, query):
    told = refused(send("GET", path, query=query.format(parameter)), 400, "bad_request")
    (error,) = told["errors"]
    assert error["parameter"].rstrip("\0") == parameter
    assert error["code"] == "null_characters_not_allowed"


@pytest.mark.parametrize(
    "value", ["9" * 30, "9" * 5_000, "-1e999", "NaN", "0x1", "%FF", "%ED%A0%80", "[]"]
)
@pytest.mark.parametrize(
    ("path", "parameter"), [each for each in EVERY_PARAMETER if each[1] != "search"]
)
def test_parameter_that_cannot_be_is_named(send, path, parameter, value):
    told = refused(send("GET", path, query=f"{parameter}={value}"), 400, "validation_error")
    assert {error["parameter"] for error in told["errors"]} == {parameter}


@pytest.mark.parametrize("query", ["&".join(["a=1"] * 1_002), "a" * 9_000, "&=&;%", "%", "%zz=%f"])
@pytest.mark.parametrize("key", GETS, ids=" ".join)
def test_odd_query_is_no_failure(send, key, query):
    answer = send(*key, query=query)
    if query.count("&") > 1_000:
        refused(answer, 400, "bad_request")
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "pk",
    [
        *("0", "-1", "1.0", "1e3", "٣", "%00", "1%00", "%ff", "1%2F2", "..", "%2e%2e", "%ED%A0%80"),
        *("9" * 19, "9" * 30, "9" * 5_000, "x" * 60_000, "1;2", "%0d%0a"),
    ],
    ids=lambda pk: pk[:20],
)
@pytest.mark.parametrize("key", WITH_ID, ids=" ".join)
def test_id_that_none_can_have_is_not_found(send, key, pk):
    method, path = key
    body = b'{"delta": 1, "reason": "delivery", "name": "M", "sku": "M", "price": "1.00"}'
    refused(send(method, path.replace("{id}", pk), body), 404, "not_found")


# --- Methods --------------------------------------------------------------------------------------

METHODS = ("FOO", "TRACE", "CONNECT", "PROPFIND", "X" * 20)
ROUTES = sorted(
    {
        re.sub(r"<[^>]+>|\(.*\)", "1", route).strip("^$")
        for route in routes(get_resolver().url_patterns)
    }
)


@pytest.mark.parametrize("method", METHODS)
def test_method_that_nobody_knows_is_not_allowed(as_clerk, method):
    for route in ROUTES:
        answer = as_clerk.generic(method, f"/{route}")
        if route == "api/1":
            refused(answer, 404, "not_found")
        elif route.startswith("api/"):
            refused(answer, 405, "method_not_allowed")
            assert "GET" in answer["Allow"] or "POST" in answer["Allow"]


@pytest.mark.parametrize("method", [*METHODS, "PUT", "PATCH", "DELETE"])
def test_pages_are_got_and_posted_only(in_the_admin, method):
    for route in ROUTES:
        if not route.startswith("api/"):
            answer = in_the_admin.generic(method, f"/{route}")
            assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookie", ['sessionid="abc\\000defghij"', 'a="\\000"', 'csrftoken="\\000"']
)
def test_nul_in_a_cookie_is_named(send, cookie):
    for key in operations():
        told = refused(send(*key, Cookie=cookie), 400, "bad_request")
        assert told["errors"][0]["header"] == "Cookie"


@pytest.mark.parametrize("path", ["/", "/admin/", "/admin/login/", "/admin/orders/order/", "/nope"])
@pytest.mark.parametrize(
    "request_with",
    [
        {"HTTP_COOKIE": 'sessionid="abc\\000defghij"'},
        {"QUERY_STRING": "q=%00"},
        {"QUERY_STRING": "%00"},
    ],
)
def test_nul_in_a_request_to_the_pages_is_refused(in_the_admin, path, request_with):
    assert in_the_admin.get(path, **request_with).status_code == 400


def test_nul_in_a_path_to_the_pages_is_not_found(in_the_admin):
    for path in (
        "/%00",
        "/static/%00.css",
        "/admin/%00/",
        "/admin/authtoken/tokenproxy/%00/change/",
    ):
        assert in_the_admin.get(path).status_code == 404


def test_nul_in_a_form_of_the_admin_is_refused(in_the_admin, alice, product):
    order = factories.place(alice, {product: 1})
    move = f"/admin/orders/order/{order.pk}/move/confirm/"
    assert in_the_admin.post(move, {"note": "a\0b"}).status_code == 400
    chosen = {"action": "delete_selected", "_selected_action": "\0"}
    assert in_the_admin.post("/admin/authtoken/tokenproxy/", chosen).status_code == 400
    order.refresh_from_db()
    assert order.status == "placed"


@pytest.mark.parametrize(
    "credentials",
    [
        b"cl\0erk:x",
        b"\0:\0",
        b"clerk:\0",
        b"clerk:nine\0",
        b"\xff:\xff",
        b":",
        b"",
        b"x" * 9_000,
        b"a:",
    ],
    ids=lambda credentials: repr(credentials[:12]),
)
def test_basic_log_in_that_cannot_be_is_refused(send, credentials):
    header = f"Basic {base64.b64encode(credentials).decode()}"
    for key in FOR_SOME:
        refused(send(*key, Authorization=header), 401, "authentication_failed")


@pytest.mark.parametrize(
    "header",
    ["Token " + "x" * 9_000, "Token é", "Basic é", "Basic " + "=" * 99, "Basic A"],
    ids=lambda header: header[:12],
)
def test_authorization_that_is_none_is_refused(send, header):
    for key in FOR_SOME:
        refused(send(*key, Authorization=header), 401, "authentication_failed")


@pytest.mark.parametrize(
    "accept", ["", "text/html", "image/png", "nonsense", "a/b/c", "x" * 5_000, "é"]
)
def test_accept_that_leaves_nothing_is_not_acceptable(send, accept):
    for key in operations():
        refused(send(*key, Accept=accept), 406, "not_acceptable")


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "testserver:x",
            "testserver:80:80",
            "testserver@evil",
            "[::1",
            "a b",
            "é",
        ),
        *("x" * 5_000, "..", "testserver/", "testserver\\", "testserver,testserver"),
    ],
)
def test_host_that_is_not_served_is_a_bad_request(send, host):
    for key in operations():
        refused(send(*key, Host=host), 400, "bad_request")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Range", "bytes=" + "9" * 5_000 + "-"),
        ("Range", "bytes=-1,-1,-1;é"),
        ("If-Match", '"'),
        ("If-None-Match", "W/W/*" + "," * 5_000),
        ("If-Modified-Since", "Foo, 99 Abc 99999999999 99:99:99 GMT"),
        ("If-Unmodified-Since", "-1"),
        ("If-Range", "\xff"),
        ("Accept", ";;;,,,*/*;q=nan"),
        ("Accept-Encoding", "\xff;q=1e999"),
        ("Accept-Language", "x" * 5_000),
        ("Cookie", ';;=;a;=b;"\xff'),
        ("Referer", "http://["),
        ("X-Forwarded-For", "é, 999.999.999.999"),
        ("X-Request-ID", "x" * 8_000),
    ],
)
def test_header_that_means_nothing_here_changes_nothing(send, name, value):
    for key in GETS:
        assert send(*key, **{name: value}).status_code == 200
