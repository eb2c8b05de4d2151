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
    answer = api.get("/api/customers/me/", headers={"Authorization": f"Token {token}"})
    assert answer.json()["username"] == "alice"


def test_token_is_the_same_each_time(api, alice):
    assert log_in(api).json() == log_in(api).json()


def test_case_of_the_user_name_does_not_matter(api, alice):
    assert log_in(api, "ALICE").json() == log_in(api, "alice").json()


@pytest.mark.parametrize(
    ("username", "password"), [("alice", "a-guess-at-it"), ("nobody", factories.PASSWORD)]
)
def test_wrong_name_and_wrong_password_are_told_alike(api, alice, username, password):
    answer = log_in(api, username, password)
    assert answer.status_code == 400
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [("", "authorization")]


def test_endless_user_name_is_a_wrong_one(api, alice):
    assert log_in(api, "a" * 60_000).status_code == 400


def test_number_is_no_user_name(api, alice):
    answer = log_in(api, 7)
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/username", "invalid")
    ]


def test_closed_account_gets_no_token(api, alice):
    alice.is_active = False
    alice.save()
    assert log_in(api).status_code == 400


def test_stale_token_in_the_header_is_no_obstacle(api, alice):
    api.credentials(HTTP_AUTHORIZATION="Token stale")
    assert log_in(api).status_code == 200


def test_drf_create_token_makes_one_that_works(api, alice, capsys):
    call_command("drf_create_token", "alice")
    key = Token.objects.get(user=alice).key
    assert key in capsys.readouterr().out
    answer = api.get("/api/customers/me/", headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 200


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def test_basic_works_as_well(api, alice):
    header = basic("alice", factories.PASSWORD)
    answer = api.get("/api/customers/me/", headers={"Authorization": header})
    assert answer.json()["username"] == "alice"


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
        basic("alice", "a-guess-at-it"),
        basic("al\0ice", factories.PASSWORD),
    ],
)
def test_bad_header_is_refused_and_asked_for_a_token(api, alice, header):
    answer = api.get("/api/products/", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["code"] == "authentication_failed"
    assert answer["WWW-Authenticate"].startswith("Token")
