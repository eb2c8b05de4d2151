import base64
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from rest_framework.authtoken.models import Token

from tests import factories


@pytest.fixture
def alice(alice):
    alice.change_password(factories.PASSWORD)
    return alice


def log_in(api, username="alice", password=factories.PASSWORD, path="/api/obtain-token/"):
    return api.post(path, {"username": username, "password": password})


@pytest.mark.parametrize("path", ["/api/obtain-token", "/api/obtain-token/"])
def test_token_opens_the_api(api, alice, path):
    token = log_in(api, path=path).json()["token"]
    response = api.get("/api/customers/me/", headers={"Authorization": f"Token {token}"})
    assert response.json()["username"] == "alice"


def test_token_is_the_same_each_time(api, alice):
    assert log_in(api).json() == log_in(api).json()


def test_case_of_the_user_name_does_not_matter(api, alice):
    assert log_in(api, "ALICE").json() == log_in(api, "alice").json()


@pytest.mark.parametrize(
    ("username", "password"), [("alice", "a-guess-at-it"), ("nobody", factories.PASSWORD)]
)
def test_wrong_name_and_wrong_password_return_the_same_error(api, alice, username, password):
    response = log_in(api, username, password)
    assert (response.status_code, response.json()["code"]) == (400, "wrong_credentials")
    assert response.json() == log_in(api, "nobody", "x").json() | {
        "request_id": response.json()["request_id"]
    }


def test_very_long_user_name_is_refused(api, alice):
    assert log_in(api, "a" * 60_000).status_code == 400


FORM = "application/x-www-form-urlencoded"


def post_form(api, fields, **extra):
    return api.post("/api/obtain-token/", urlencode(fields), content_type=FORM, **extra)


def post_multipart(api, fields, **extra):
    return api.post("/api/obtain-token/", fields, format="multipart", **extra)


every_form = pytest.mark.parametrize("post", [post_form, post_multipart])


@every_form
def test_form_returns_the_token(api, alice, post):
    response = post(api, {"username": "alice", "password": factories.PASSWORD})
    assert response.json() == log_in(api).json()


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", FORM.upper()])
def test_form_without_a_slash_returns_the_token(api, alice, content_type):
    body = urlencode({"username": "alice", "password": factories.PASSWORD})
    response = api.post("/api/obtain-token", body, content_type=content_type)
    assert response.status_code == 200


@every_form
@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"username": "alice"}, "/password", "required"),
        ({"username": "", "password": "x"}, "/username", "blank"),
        ({"username": "al\0ice", "password": "x"}, "/username", "null_characters_not_allowed"),
        ({"username": "alice", "password": "x\0"}, "/password", "null_characters_not_allowed"),
        ({"username": "a" * 255, "password": "x"}, "/username", "max_length"),
        ({"username": "al\nice", "password": "x"}, "/username", "control_characters_not_allowed"),
    ],
)
def test_bad_field_of_a_form_is_named(api, alice, post, fields, pointer, code):
    response = post(api, fields)
    assert response.status_code == 400
    assert (pointer, code) in {(e["pointer"], e["code"]) for e in response.json()["errors"]}


@every_form
def test_wrong_password_in_a_form_is_refused(api, alice, post):
    response = post(api, {"username": "alice", "password": "a-guess-at-it"})
    assert (response.status_code, response.json()["code"]) == (400, "wrong_credentials")


@every_form
def test_form_over_the_limit_is_too_large(api, alice, post, settings):
    fields = {"username": "alice", "password": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE}
    assert post(api, fields).json()["code"] == "request_too_large"


def test_multipart_that_is_long_beside_its_fields_is_too_large(api, alice, settings):
    body = b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b"\r\n--b--\r\n"
    content_type = "multipart/form-data; boundary=b"
    response = api.post("/api/obtain-token/", body, content_type=content_type)
    assert response.json()["code"] == "request_too_large"


def test_file_in_a_form_is_refused(api, alice):
    fields = {"username": "alice", "password": SimpleUploadedFile("password", b"x")}
    response = post_multipart(api, fields)
    assert response.json()["code"] == "request_too_large"
    assert "no files" in response.json()["detail"]


@pytest.mark.parametrize("body", [b"--b\r\n", b"", b"\0", b"--b\r\nContent-Disposition: x\r\n\r\n"])
@pytest.mark.parametrize("boundary", ["; boundary=b", "; boundary=é", "; boundary=*", ""])
def test_malformed_multipart_is_a_4xx(api, alice, body, boundary):
    content_type = f"multipart/form-data{boundary}"
    response = api.generic("POST", "/api/obtain-token/", body, content_type=content_type)
    assert response.status_code == (400 if body else 411)
    assert response.json()["code"] in ("validation_error", "parse_error", "length_required")


def test_form_of_a_thousand_fields_is_refused(api, alice):
    fields = {f"field{number}": "" for number in range(1_001)}
    assert post_form(api, fields).json()["code"] == "bad_request"


def test_time_at_which_the_token_expires_is_returned(api, alice, settings):
    assert log_in(api).json()["expires"] is None
    settings.TOKEN_TTL = timedelta(days=7)
    data = log_in(api).json()
    created = Token.objects.get(key=data["token"]).created
    assert datetime.fromisoformat(data["expires"]) == created + timedelta(days=7)


def test_number_is_not_a_valid_user_name(api, alice):
    response = log_in(api, 7)
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [
        ("/username", "invalid")
    ]


def test_closed_account_gets_no_token(api, alice):
    alice.is_active = False
    alice.save()
    assert log_in(api).status_code == 400


def test_stale_token_in_the_header_is_ignored(api, alice):
    api.credentials(HTTP_AUTHORIZATION="Token stale")
    assert log_in(api).status_code == 200


def test_drf_create_token_creates_a_valid_token(api, alice, capsys):
    call_command("drf_create_token", "alice")
    key = Token.objects.get(user=alice).key
    assert key in capsys.readouterr().out
    response = api.get("/api/customers/me/", headers={"Authorization": f"Token {key}"})
    assert response.status_code == 200


def basic_header(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def test_basic_authentication_works(api, alice):
    header = basic_header("alice", factories.PASSWORD)
    response = api.get("/api/customers/me/", headers={"Authorization": header})
    assert response.json()["username"] == "alice"


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token two words",
        "Token 0123456789",
        "Token \0",
        "Token ü",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        basic_header("alice", "a-guess-at-it"),
        basic_header("al\0ice", factories.PASSWORD),
    ],
)
def test_bad_header_returns_401_with_a_token_challenge(api, alice, header):
    response = api.get("/api/products/", headers={"Authorization": header})
    assert response.status_code == 401
    assert response.json()["code"] == "authentication_failed"
    assert response["WWW-Authenticate"].startswith("Token")
