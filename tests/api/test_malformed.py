"""Malformed requests to every operation: each gets a problem that explains it, never a 5xx.

Requests that only a real server can receive are in test_http.py.
"""

import base64
import re
from itertools import product

import pytest
from django.urls import get_resolver

from products.categories import Category
from tests import factories, pictures
from tests.api.test_permissions import routes
from tests.api.test_problems import problem
from tests.contract import document, operations, takes_json

WITH_BODY = [key for key, operation in operations().items() if takes_json(operation)]
WITH_ID = [(method, path) for method, path in operations() if "{id}" in path]
WITH_LOG_IN = [key for key, operation in operations().items() if operation.get("security")]
GETS = [(method, path) for method, path in operations() if method == "GET"]


def fields(key):
    """Return `{name: schema}` of the members of the body, or of its first row."""
    schema = body_schema(key)
    schema = schema.get("items", schema)
    return document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]


def body_schema(key):
    return operations()[key]["requestBody"]["content"]["application/json"]["schema"]


def make_body(key, field, value):
    """Return a body with this member, and the pointer to it."""
    if "items" in body_schema(key):
        return f'[{{"{field}": {value}}}]', f"/0/{field}"
    return f'{{"{field}": {value}}}', f"/{field}"


EVERY_FIELD = [(*key, field, schema) for key in WITH_BODY for field, schema in fields(key).items()]
EVERY_PARAMETER = [
    (path, parameter["name"])
    for (_, path), operation in operations().items()
    for parameter in operation.get("parameters", [])
    if parameter["in"] == "query"
]


TEXTS = ("search", "username", "reference", "sku", "category")  # that may look like numbers


@pytest.fixture
def send(api, as_clerk, clerk):
    """Send a request to an operation, as staff by default, with the ids of existing rows."""
    order = factories.place(clerk, {factories.products.make(): 1})
    Category.objects.create(name="Tea", slug="tea")
    ids = {"customers": clerk.pk, "orders": order.pk}
    item = factories.products.make()
    ids["products"] = item.pk

    def send(method, path, body=b"", query="", content_type="application/json", **headers):
        path = path.replace("{id}", str(ids.get(path.split("/")[2]))).replace("{slug}", "tea")
        path = pictures.fill_in(path, item, clerk)
        client = api if "Authorization" in headers else as_clerk
        headers |= {} if body else {"Content-Length": "0"}
        return client.generic(method, f"{path}?{query}", body, content_type, headers=headers)

    return send


def assert_problem(response, status, *codes):
    data = problem(response)
    assert response.status_code == status
    assert data["code"] in codes
    return data


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
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32-be"),
        b"username=dora",
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_body_that_is_not_json_is_a_parse_error(send, body):
    for key in WITH_BODY:
        assert_problem(send(*key, body), 400, "parse_error")


# Near the limit of the interpreter's stack, and far from it.
DEPTHS = (50, 200, 500, 700, 800, *range(850, 1_000, 10), 1_500, 5_000)


def test_body_that_is_not_an_object_is_rejected(send, subtests):
    bodies = (b"null", b"true", b"7", b'"text"', b"[]", b'["email"]')
    for key, body in product(WITH_BODY, bodies):
        with subtests.test(key=key, body=body):
            assert_problem(send(*key, body), 400, "validation_error")


@pytest.mark.slow
def test_nested_body_is_rejected_at_any_depth(send, subtests):
    for key, (opening, closing) in product(WITH_BODY, ["[]", ('{"a":', "}")]):
        with subtests.test(key=key, opening=opening):
            field = next(iter(fields(key)))
            for depth in DEPTHS:
                body = f'{{"{field}": {opening * depth}1{closing * depth}}}'
                assert_problem(send(*key, body), 400, "validation_error", "parse_error")
            data = assert_problem(send(*key, body), 400, "parse_error")
            assert data["detail"].endswith("nested too deeply.")


def test_error_points_at_an_invalid_field(send, subtests):
    values = ('"a\\u0000b"', "{}", "[[]]", "[1e999]", '"\\u0000"')
    for (method, path, field, _), value in product(EVERY_FIELD, values):
        with subtests.test(method=method, path=path, field=field, value=value):
            body, pointer = make_body((method, path), field, value)
            errors = assert_problem(send(method, path, body), 400, "validation_error")["errors"]
            assert any(error["pointer"].startswith(pointer) for error in errors)


def test_error_points_at_a_number_out_of_range(send, subtests):
    numbers = [case[:3] for case in EVERY_FIELD if case[3].get("type") == "integer"]
    numbers += [case[:3] for case in EVERY_FIELD if case[3].get("format") == "decimal"]
    values = ("1e999", "-1e999", "9" * 4_000, "-" + "9" * 40, "1e400")
    for (method, path, field), value in product(numbers, values):
        with subtests.test(method=method, path=path, field=field, value=value):
            body, pointer = make_body((method, path), field, value)
            errors = assert_problem(send(method, path, body), 400, "validation_error")["errors"]
            assert any(error["pointer"] == pointer for error in errors)


def test_error_points_at_an_invalid_item(send, subtests):
    paths = ("/api/orders/", "/api/orders/quote/")
    values = ("0", "-0", "-1", "1e999", "1.5", "9" * 30, "9" * 4_000, '"\\u0000"')
    for path, value, member in product(paths, values, ("product", "quantity")):
        with subtests.test(path=path, member=member, value=value):
            item = {"product": "1", "quantity": "1", member: value}
            body = ", ".join(f'"{name}": {text}' for name, text in item.items())
            response = send("POST", path, f'{{"items": [{{{body}}}]}}')
            errors = assert_problem(response, 400, "validation_error")["errors"]
            assert errors[0]["pointer"] == f"/items/0/{member}"


def test_body_over_the_limit_is_too_large(send, settings, subtests):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    for key in WITH_BODY:
        with subtests.test(key=key):
            response = send(*key, b'{"a": "%s"}' % (b"x" * 1_000))
            assert_problem(response, 413, "request_too_large")


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
        if "form" in content_type and key == ("POST", "/api/obtain-token/"):
            continue
        response = send(*key, b"--x\r\n{}", content_type=content_type)
        assert_problem(response, 415, "unsupported_media_type")


def test_empty_body_lacks_required_fields(send, subtests):
    required = [key for key in WITH_BODY if operations()[key]["requestBody"].get("required")]
    for key, content_type in product(required, ("", "application/json")):
        with subtests.test(key=key, content_type=content_type):
            response = send(*key, b"", content_type=content_type)
            data = assert_problem(response, 400, "validation_error", "parse_error")
            assert data["code"] == "parse_error" or data["errors"][0]["code"] in (
                "required",
                "not_a_list",
            )


def test_body_of_a_get_is_not_read(send, subtests):
    bodies = [(b"{", "application/json"), (b"\0", ""), (b"x" * 3_000_000, "x/y")]
    for key, (body, content_type) in product(GETS, bodies):
        with subtests.test(key=key, content_type=content_type):
            assert send(*key, body, content_type=content_type).status_code == 200


# --- Queries and paths ----------------------------------------------------------------------------


def test_error_names_the_parameter_with_a_null_character(send, subtests):
    cases = [*EVERY_PARAMETER, ("/api/customers/me/", "nonsense"), ("/api/", "a")]
    for (path, parameter), query in product(cases, ("{}=a%00b", "{}%00=1", "a=1&{}=%00")):
        with subtests.test(path=path, parameter=parameter, query=query):
            response = send("GET", path, query=query.format(parameter))
            (error,) = assert_problem(response, 400, "bad_request")["errors"]
            assert error["parameter"].rstrip("\0") == parameter
            assert error["code"] == "null_characters_not_allowed"


def test_error_names_an_invalid_parameter(send, subtests):
    cases = [case for case in EVERY_PARAMETER if case[1] not in TEXTS]
    values = ("9" * 30, "9" * 5_000, "-1e999", "NaN", "0x1", "%FF", "%ED%A0%80", "[]")
    for (path, parameter), value in product(cases, values):
        with subtests.test(path=path, parameter=parameter, value=value):
            response = send("GET", path, query=f"{parameter}={value}")
            errors = assert_problem(response, 400, "validation_error")["errors"]
            assert {error["parameter"] for error in errors} == {parameter}


@pytest.mark.parametrize("query", ["search=%ff", "search=%E2%82", "ordering=name&%ff=1"])
def test_query_that_is_not_utf8_is_rejected(api, query):
    response = api.generic("GET", f"/api/products/?{query}")
    assert_problem(response, 400, "validation_error")
    assert response.json()["errors"][0]["detail"] == "Must be UTF-8."


@pytest.mark.parametrize("query", ["search=%EF%BF%BD", "sku=a%EF%BF%BD,%F0%9F%98%8D"])
def test_character_that_stands_for_others_can_be_sent(api, query):
    assert api.generic("GET", f"/api/products/?{query}").status_code == 200


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", ["/api/products/", "/api/orders/", "/api/docs/", "/api/schema/"])
def test_query_of_over_1000_parameters_is_rejected(client, settings, path, debug):
    settings.DEBUG = debug  # whose page reads the query again
    response = client.generic("GET", path, QUERY_STRING="&".join(map(str, range(1_001))))
    data = assert_problem(response, 400, "bad_request")
    assert data["detail"] == "A query or a form has at most 1,000 parameters."


@pytest.mark.parametrize("path", ["/admin/login/", "/healthz"])
def test_page_rejects_a_query_of_over_1000_parameters_too(client, settings, path):
    settings.DEBUG = True
    response = client.generic("GET", path, QUERY_STRING="&".join(map(str, range(1_001))))
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("form", "detail"),
    [
        (b"username=a&username=b&password=x", "The form has two fields of one name: username."),
        (b"username=%ff&password=x", "The form is not UTF-8, or it has the character U+FFFD."),
        (b"username=a&%ff=1", "The form is not UTF-8, or it has the character U+FFFD."),
        (b"&".join([b"a=1"] * 1_001), "A query or a form has at most 1,000 parameters."),
    ],
)
def test_form_with_two_meanings_is_rejected(client, form, detail):
    response = client.generic(
        "POST", "/api/obtain-token/", form, "application/x-www-form-urlencoded"
    )
    assert assert_problem(response, 400, "parse_error", "bad_request")["detail"] == detail


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP"])
def test_compressed_body_is_unsupported(as_clerk, encoding):
    body = b'{"items": [{"product": 1, "quantity": 1}]}'
    headers = {"Content-Encoding": encoding}
    response = as_clerk.generic(
        "POST", "/api/orders/quote/", body, "application/json", headers=headers
    )
    data = assert_problem(response, 415, "unsupported_media_type")
    assert data["detail"].startswith("Content-Encoding: ")


@pytest.mark.parametrize(
    "path", ["/api/products/{id}/", "/api/categories/{slug}/", "/api/customers/me/"]
)
@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b'{"dry_run": true}', "validation_error", "/dry_run"),
        (b"{{{", "parse_error", None),
    ],
)
def test_delete_reads_its_body(send, clerk, path, body, code, pointer):
    headers = {}
    if path.endswith("/me/"):  # which takes no token
        clerk.set_password("the-clerk-himself")
        clerk.save()
        credentials = base64.b64encode(f"{clerk.username}:the-clerk-himself".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
    response = send("DELETE", path, body, **headers)
    errors = assert_problem(response, 400, code).get("errors", [{}])
    assert errors[0].get("pointer") == pointer
    assert send("GET", path, **headers).status_code == 200


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (f"page={10**17}", f"There is no page {10**17}."),
        (f"page={10**18}", "page: Must be a whole number, 1 or more, of up to 18 digits."),
        (f"items_per_page={10**18}", "items_per_page: Must be a whole number, 1 or more, of up to"),
        (f"id={10**18}", "id: Must be ids, of up to 18 digits each, with commas between them."),
    ],
)
def test_number_that_is_too_large_is_named_as_such(api, query, detail):
    assert api.get(f"/api/products/?{query}").json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "detail"),
    [
        ("POST", "/api/orders/quote/", b'{"items": %s}' % (b"1" * 5_000), None, "digits"),
        ("POST", "/api/orders/quote/", b"{}", "", "Send Content-Type: application/json."),
        ("POST", "/api/orders/quote/", b"{}", "text/plain", "Send Content-Type: application/json."),
        ("POST", "/api/orders/quote/", b"[]", None, "Must be an object."),
        ("PATCH", "/api/products/", b"", None, "Must be an array of objects."),
    ],
)
def test_message_speaks_of_json_and_http(send, method, path, body, content_type, detail):
    content_type = "application/json" if content_type is None else content_type
    response = send(method, path, body, content_type=content_type)
    assert detail in response.json()["detail"]
    assert not re.search("dict|sys[.]|python", response.content.decode(), re.IGNORECASE)


def test_odd_query_is_not_a_server_error(send, subtests):
    queries = ("&".join(["a=1"] * 1_002), "a" * 9_000, "&=&;%", "%", "%zz=%f")
    for key, query in product(GETS, queries):
        with subtests.test(key=key, query=query):
            code = "bad_request" if query.count("&") > 1_000 else "validation_error"
            assert_problem(send(*key, query=query), 400, code)


def test_impossible_id_is_not_found(send, subtests):
    pks = (
        *("0", "-1", "1.0", "1e3", "٣", "%00", "1%00", "%ff", "1%2F2", "..", "%2e%2e", "%ED%A0%80"),
        *("9" * 19, "9" * 30, "9" * 5_000, "x" * 60_000, "1;2", "%0d%0a"),
    )
    body = b'{"delta": 1, "reason": "delivery", "name": "M", "sku": "M", "price": "1.00"}'
    for (method, path), pk in product(WITH_ID, pks):
        with subtests.test(method=method, path=path, pk=pk):
            content = b"" if method == "DELETE" else body
            assert_problem(send(method, path.replace("{id}", pk), content), 404, "not_found")


# --- Methods --------------------------------------------------------------------------------------

METHODS = ("FOO", "TRACE", "CONNECT", "PROPFIND", "X" * 20)
ROUTES = sorted(
    {
        re.sub(r"<[^>]+>|\(.*\)", "1", route).strip("^$")
        for route in routes(get_resolver().url_patterns)
    }
)


@pytest.mark.parametrize("method", METHODS)
def test_unknown_method_is_not_allowed(as_clerk, method):
    for route in ROUTES:
        response = as_clerk.generic(method, f"/{route}")
        if route == "api/1":
            assert_problem(response, 404, "not_found")
        elif route.startswith("api/"):
            assert_problem(response, 405, "method_not_allowed")
            assert {"GET", "POST", "PATCH"} & {*response["Allow"].split(", ")}


@pytest.mark.parametrize("method", [*METHODS, "PUT", "PATCH", "DELETE"])
def test_pages_allow_only_get_and_post(in_the_admin, method):
    for route in ROUTES:
        if not route.startswith("api/"):
            response = in_the_admin.generic(method, f"/{route}")
            assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookie", ['sessionid="abc\\000defghij"', 'a="\\000"', 'csrftoken="\\000"']
)
def test_error_names_a_cookie_with_a_null_character(send, cookie):
    for key in operations():
        data = assert_problem(send(*key, Cookie=cookie), 400, "bad_request")
        assert data["errors"][0]["header"] == "Cookie"


@pytest.mark.parametrize("path", ["/", "/admin/", "/admin/login/", "/admin/orders/order/", "/nope"])
@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_COOKIE": 'sessionid="abc\\000defghij"'},
        {"QUERY_STRING": "q=%00"},
        {"QUERY_STRING": "%00"},
    ],
)
def test_null_character_in_a_request_for_a_page_is_rejected(in_the_admin, path, environ):
    assert in_the_admin.get(path, **environ).status_code == 400


def test_null_character_in_the_path_of_a_page_is_not_found(in_the_admin):
    for path in (
        "/%00",
        "/static/%00.css",
        "/admin/%00/",
        "/admin/authtoken/tokenproxy/%00/change/",
    ):
        assert in_the_admin.get(path).status_code == 404


def test_null_character_in_an_admin_form_is_rejected(in_the_admin, alice, product):
    order = factories.place(alice, {product: 1})
    url = f"/admin/orders/order/{order.pk}/move/confirm/"
    assert in_the_admin.post(url, {"note": "a\0b"}).status_code == 400
    data = {"action": "delete_selected", "_selected_action": "\0"}
    assert in_the_admin.post("/admin/authtoken/tokenproxy/", data).status_code == 400
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
def test_invalid_basic_credentials_are_rejected(send, credentials):
    header = f"Basic {base64.b64encode(credentials).decode()}"
    for key in WITH_LOG_IN:
        assert_problem(send(*key, Authorization=header), 401, "authentication_failed")


@pytest.mark.parametrize(
    "header",
    ["Token " + "x" * 9_000, "Token é", "Basic é", "Basic " + "=" * 99, "Basic A"],
    ids=lambda header: header[:12],
)
def test_invalid_authorization_is_rejected(send, header):
    for key in WITH_LOG_IN:
        assert_problem(send(*key, Authorization=header), 401, "authentication_failed")


@pytest.mark.parametrize(
    "accept", ["", "text/html", "image/png", "nonsense", "a/b/c", "x" * 5_000, "é"]
)
def test_unsupported_accept_is_not_acceptable(send, accept):
    for key in operations():
        assert_problem(send(*key, Accept=accept), 406, "not_acceptable")


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
def test_unknown_host_is_a_bad_request(send, host):
    for key in operations():
        assert_problem(send(*key, Host=host), 400, "bad_request")


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
def test_irrelevant_header_is_ignored(send, name, value):
    for key in GETS:
        assert send(*key, **{name: value}).status_code == 200
