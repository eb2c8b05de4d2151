import pytest

from tests import factories

NEW = "my-bee-loud-glade"


@pytest.fixture
def alice(alice):
    alice.change_password(factories.PASSWORD)
    return alice


def change(client, current, new):
    return client.post(
        "/api/customers/me/password/", {"current_password": current, "new_password": new}
    )


def test_new_password_replaces_the_old_one(as_alice, alice):
    assert change(as_alice, factories.PASSWORD, NEW).status_code == 204
    alice.refresh_from_db()
    assert alice.check_password(NEW)


@pytest.mark.parametrize(
    ("current", "new", "pointer", "code"),
    [
        ("a-guess-at-it", NEW, "/current_password", "wrong"),
        (factories.PASSWORD, "short-one", "/new_password", "password_too_short"),
        (factories.PASSWORD, "alice@example", "/new_password", "password_too_similar"),
        (factories.PASSWORD, "", "/new_password", "blank"),
    ],
)
def test_refused_change_names_the_field_and_keeps_the_password(
    as_alice, alice, current, new, pointer, code
):
    response = change(as_alice, current, new)
    assert response.status_code == 400
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [(pointer, code)]
    alice.refresh_from_db()
    assert alice.check_password(factories.PASSWORD)
