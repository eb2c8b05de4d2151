import base64

import pytest
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
    assert response.status_code == 400
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [("", "authorization")]


def test_very_long_user_name_is_refused(api, alice):
    assert log_in(api, "a" * 60_000).status_code == 400


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
