import base64

import pytest
from django.db import connection

from customers.login_limits import LoginThrottled
from tests import factories


@pytest.fixture(autouse=True)
def three_failures(settings):
    settings.RATES = settings.RATES | {"log_in_account": (3, 1_000_000_000)}


@pytest.fixture
def clerk(clerk):
    clerk.change_password(factories.PASSWORD)
    return clerk


def log_in_to_admin(client, password):
    return client.post("/admin/login/", {"username": "clerk", "password": password})


def obtain_token(client, password):
    data = {"username": "clerk", "password": password}
    return client.post("/api/obtain-token/", data, content_type="application/json")


def log_in_with_basic(client, password):
    credentials = base64.b64encode(f"clerk:{password}".encode()).decode()
    return client.get("/api/customers/me/", headers={"Authorization": f"Basic {credentials}"})


@pytest.mark.parametrize("last_log_in", [log_in_to_admin, obtain_token, log_in_with_basic])
def test_failures_of_all_log_ins_are_counted_together(client, clerk, last_log_in):
    for log_in, status in ((log_in_to_admin, 200), (obtain_token, 400), (log_in_with_basic, 401)):
        assert log_in(client, "wrong").status_code == status
    response = last_log_in(client, factories.PASSWORD)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 1_000_000_000


def test_locked_log_in_shows_how_long_to_wait(client, clerk):
    for _ in range(3):
        assert "Please enter the correct" in log_in_to_admin(client, "wrong").content.decode()
    response = log_in_to_admin(client, factories.PASSWORD)
    assert f"try again in {response['Retry-After']} seconds." in response.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [
        *((1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes")),
        *((660, "11 minutes"), (3600, "1 hour"), (5000, "2 hours")),
    ],
)
def test_wait_is_in_the_unit_of_people(seconds, wait):
    message = "Too many failed log-ins: try again in {}."
    assert str(LoginThrottled(seconds)) == message.format(wait)


def test_right_password_is_not_counted(client, clerk):
    for _ in range(5):
        assert log_in_to_admin(client, factories.PASSWORD).status_code == 302


PASSWORD_CHANGE = "/admin/password_change/"
NEW = "my-bee-loud-glade"


def change(client, old):
    form = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return client.post(PASSWORD_CHANGE, form)


def test_changing_the_own_password_keeps_the_session(client, clerk):
    client.force_login(clerk)
    assert change(client, factories.PASSWORD).status_code == 302
    clerk.refresh_from_db()
    assert clerk.check_password(NEW)
    assert client.get("/admin/").status_code == 200


def test_failed_password_changes_are_limited(client, clerk):
    client.force_login(clerk)
    for _ in range(3):
        assert "incorrectly" in change(client, "wrong").content.decode()
    assert "Too many failed log-ins" in change(client, factories.PASSWORD).content.decode()
    clerk.refresh_from_db()
    assert clerk.check_password(factories.PASSWORD)


def test_password_change_writes_only_the_password(client, clerk):
    """Other fields of the row can change while the password is hashed."""
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
