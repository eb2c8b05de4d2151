import base64

import pytest

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
