import base64

import pytest
from django.db import connection

from tests import factories


@pytest.fixture(autouse=True)
def three_failures(settings):
    settings.RATES = settings.RATES | {"log_in_account": (3, 1_000_000_000)}


@pytest.fixture
def clerk(clerk):
    clerk.change_password(factories.PASSWORD)
    return clerk


def admin(client, password):
    return client.post("/admin/login/", {"username": "clerk", "password": password})


def token(client, password):
    form = {"username": "clerk", "password": password}
    return client.post("/api/obtain-token/", form, content_type="application/json")


def basic(client, password):
    credentials = base64.b64encode(f"clerk:{password}".encode()).decode()
    return client.get("/api/customers/me/", headers={"Authorization": f"Basic {credentials}"})


@pytest.mark.parametrize("last", [admin, token, basic])
def test_failures_at_all_doors_count_together(client, clerk, last):
    for door, status in ((admin, 200), (token, 400), (basic, 401)):
        assert door(client, "wrong").status_code == status
    answer = last(client, factories.PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 1_000_000_000


def test_locked_log_in_says_how_long_to_wait(client, clerk):
    for _ in range(3):
        assert "Please enter the correct" in admin(client, "wrong").content.decode()
    answer = admin(client, factories.PASSWORD)
    assert f"try again in {answer['Retry-After']} seconds." in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_right_password_is_not_counted(client, clerk):
    for _ in range(5):
        assert admin(client, factories.PASSWORD).status_code == 302


PASSWORD_CHANGE = "/admin/password_change/"
NEW = "my-bee-loud-glade"


def change(client, old):
    form = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return client.post(PASSWORD_CHANGE, form)


def test_own_password_is_changed_and_the_session_goes_on(client, clerk):
    client.force_login(clerk)
    assert change(client, factories.PASSWORD).status_code == 302
    clerk.refresh_from_db()
    assert clerk.check_password(NEW)
    assert client.get("/admin/").status_code == 200


def test_old_password_is_not_guessed_by_changing_it(client, clerk):
    client.force_login(clerk)
    for _ in range(3):
        assert "incorrectly" in change(client, "wrong").content.decode()
    assert "Too many failed log-ins" in change(client, factories.PASSWORD).content.decode()
    clerk.refresh_from_db()
    assert clerk.check_password(factories.PASSWORD)


def test_password_change_writes_nothing_back_but_the_password(client, clerk):
    """Hashing takes long enough for the rest of the row to change."""
    client.force_login(clerk)

    def demote_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and "password" in sql:
            type(clerk).objects.filter(pk=clerk.pk, is_staff=True).update(is_staff=False)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(demote_first):
        change(client, factories.PASSWORD)
    clerk.refresh_from_db()
    assert clerk.check_password(NEW)
    assert not clerk.is_staff


def test_password_of_an_account_closed_meanwhile_is_not_set(client, clerk):
    client.force_login(clerk)

    def close_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and "password" in sql:
            type(clerk).objects.filter(pk=clerk.pk).update(is_active=False)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(close_first):
        assert change(client, factories.PASSWORD).status_code == 403
    clerk.refresh_from_db()
    assert not clerk.check_password(NEW)
