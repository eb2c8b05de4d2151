"""How long a token is valid, and what revokes it."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from rest_framework.authtoken.models import Token

from customers.auth_backends import verified_passwords
from customers.models import Customer
from customers.tokens import AccessToken, StaleLogin
from tests import factories

NEW = "my-bee-loud-glade"


@pytest.fixture
def alice(alice):
    alice.change_password(factories.PASSWORD)
    return alice


def obtain(api):
    data = {"username": "alice", "password": factories.PASSWORD}
    return api.post("/api/obtain-token/", data).json()["token"]


def opens(api, key):
    """Return True if the token opens the account, or else the response."""
    response = api.get("/api/customers/me/", headers={"Authorization": f"Token {key}"})
    return response.status_code == 200 or response


def set_token_age(age):
    Token.objects.update(created=timezone.now() - age)


def test_token_does_not_expire_by_default(api, alice):
    key = obtain(api)
    set_token_age(timedelta(days=10_000))
    assert opens(api, key) is True


def test_token_expires_after_the_ttl(api, alice, settings):
    settings.TOKEN_TTL = timedelta(days=30)
    key = obtain(api)
    set_token_age(timedelta(days=29))
    assert opens(api, key) is True
    assert obtain(api) == key
    set_token_age(timedelta(days=30))
    response = opens(api, key)
    assert response.status_code == 401
    assert response.json()["code"] == "token_expired"
    assert response["WWW-Authenticate"].startswith("Token")


def test_expired_token_is_replaced_on_the_next_log_in(api, alice, settings):
    settings.TOKEN_TTL = timedelta(days=30)
    key = obtain(api)
    set_token_age(timedelta(days=31))
    assert obtain(api) != key
    assert opens(api, obtain(api)) is True
    assert Token.objects.count() == 1


def test_revoked_token_is_rejected_and_a_new_one_is_issued(api, alice):
    key = obtain(api)
    response = api.post("/api/revoke-token", headers={"Authorization": f"Token {key}"})
    assert response.status_code == 204
    assert opens(api, key) is not True
    assert opens(api, obtain(api)) is True


def change_over_the_api(api, alice):
    body = {"current_password": factories.PASSWORD, "new_password": NEW}
    assert api.as_user(alice).post("/api/customers/me/password/", body).status_code == 204


def set_a_password(api, alice):
    """As the admin and `manage.py changepassword` do."""
    alice.set_password(NEW)
    alice.save()


def disable_the_password(api, alice):
    alice.set_unusable_password()
    alice.save()


def deactivate(api, alice):
    alice.is_active = False
    alice.save()
    Customer.objects.update(is_active=True)  # reactivating it does not bring the token back


def close(api, alice):
    alice.close()
    Customer.objects.update(is_active=True)


@pytest.mark.parametrize(
    "act", [change_over_the_api, set_a_password, disable_the_password, deactivate, close]
)
def test_token_is_revoked_by(act, api, alice):
    key = obtain(api)
    act(api, alice)
    assert opens(api, key) is not True
    assert not Token.objects.exists()


def test_token_survives_other_changes_of_the_account(api, alice):
    key = obtain(api)
    alice.city = "Ribe"
    alice.save()
    assert opens(api, key) is True


def test_token_survives_a_stronger_hash_of_the_same_password(api, alice, settings):
    key = obtain(api)
    quick, *slow = settings.PASSWORD_HASHERS
    settings.PASSWORD_HASHERS = [*slow, quick]
    verified_passwords.expiry.clear()
    assert obtain(api) == key
    assert Customer.objects.get().password.startswith("pbkdf2_sha256$")


def test_old_password_gets_no_token_after_the_change(alice):
    customer = Customer.objects.get(pk=alice.pk)  # read before the change, with the right password
    alice.change_password(NEW)
    with pytest.raises(StaleLogin):
        AccessToken.issue(customer)


@pytest.mark.django_db(transaction=True)
def test_concurrent_log_ins_get_the_same_token(alice):
    keys, start = [], threading.Barrier(8)

    def log_in():
        start.wait()
        keys.append(AccessToken.issue(alice).key)
        connection.close()

    threads = [threading.Thread(target=log_in) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert set(keys) == {Token.objects.get().key}


def test_str_of_a_token_names_its_owner_and_not_its_key(alice):
    token = AccessToken.issue(alice)
    assert str(token) == "Token of alice"
    assert token.key not in repr(token)


def test_command_replaces_an_expired_token(api, alice, settings, capsys):
    settings.TOKEN_TTL = timedelta(days=30)
    key = AccessToken.issue(alice).key
    set_token_age(timedelta(days=31))
    call_command("drf_create_token", "alice")
    fresh = Token.objects.get().key
    assert fresh != key
    assert fresh in capsys.readouterr().out
    call_command("drf_create_token", "alice")
    assert Token.objects.get().key == fresh
    call_command("drf_create_token", "--reset", "alice")
    assert Token.objects.get().key != fresh


def test_command_creates_no_token_for_a_closed_account(alice):
    alice.is_active = False
    alice.save()
    with pytest.raises(CommandError, match="closed"):
        call_command("drf_create_token", "alice")
    with pytest.raises(CommandError, match="does not exist"):
        call_command("drf_create_token", "nobody")


def test_token_created_in_the_future_is_expired(api, alice, settings):
    settings.TOKEN_TTL = timedelta(days=30)
    key = obtain(api)
    set_token_age(-timedelta(days=1))
    assert opens(api, key).status_code == 401
    assert obtain(api) != key
