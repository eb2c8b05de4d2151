import base64

import pytest
from django.db import connection

from tests import factories
from tests.contract import ContractClient

api_of = ContractClient().as_user


def test_me_is_the_account_that_is_logged_in(as_alice, as_bob):
    assert as_alice.get("/api/customers/me/").json()["username"] == "alice"
    assert as_bob.get("/api/customers/me/").json()["username"] == "bob"


def test_patch_changes_only_the_fields_sent(as_alice, alice):
    response = as_alice.patch("/api/customers/me/", {"city": "Ribe", "postal_code": "6760"})
    assert response.json()["city"] == "Ribe"
    alice.refresh_from_db()
    assert (alice.city, alice.postal_code, alice.street_1) == ("Ribe", "6760", "Kattesundet 4")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 77),
        ("username", "root"),
        ("is_staff", True),
        ("date_joined", "2001-01-01T00:00:00Z"),
        ("is_superuser", True),
        ("is_active", False),
        ("password", "something-else"),
    ],
)
def test_read_only_field_is_not_changed(as_alice, alice, field, value):
    response = as_alice.patch("/api/customers/me/", {field: value})
    is_unknown = field in ("is_superuser", "is_active", "password")
    assert response.status_code == (400 if is_unknown else 200)
    before = getattr(alice, field)
    alice.refresh_from_db()
    assert getattr(alice, field) == before


def test_own_email_in_other_case_is_accepted(as_alice, alice):
    alice.change_password(factories.PASSWORD)
    data = {"email": alice.email.upper(), "current_password": factories.PASSWORD}
    assert api_of(alice).patch("/api/customers/me/", data).status_code == 200


@pytest.mark.parametrize(
    ("extra", "code"), [({}, "required"), ({"current_password": "a-guess-at-it"}, "wrong")]
)
def test_changing_the_email_requires_the_password(alice, extra, code):
    alice.change_password(factories.PASSWORD)
    response = api_of(alice).patch("/api/customers/me/", {"email": "eve@example.com"} | extra)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/current_password", code)
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


def test_unchanged_email_requires_no_password(as_alice, alice):
    response = as_alice.patch("/api/customers/me/", {"email": alice.email, "city": "Ribe"})
    assert response.json()["city"] == "Ribe"


def close(client, password=factories.PASSWORD):
    return client.post("/api/customers/me/close/", {"current_password": password})


def test_account_is_closed_with_the_password_alone(alice):
    alice.change_password(factories.PASSWORD)
    client = api_of(alice)
    assert close(client, "a-guess-at-it").json()["errors"][0]["pointer"] == "/current_password"
    response = client.delete("/api/customers/me/")
    assert response.status_code == 403
    assert "/api/customers/me/close/" in response.json()["detail"]
    assert client.get("/api/customers/me/").status_code == 200
    assert close(client).status_code == 204
    assert client.get("/api/customers/me/").status_code == 401


def test_account_is_closed_by_basic(api, alice):
    alice.change_password(factories.PASSWORD)
    credentials = base64.b64encode(f"alice:{factories.PASSWORD}".encode()).decode()
    api.credentials(HTTP_AUTHORIZATION=f"Basic {credentials}")
    assert api.delete("/api/customers/me/").status_code == 204
    alice.refresh_from_db()
    assert alice.closed


def test_confirmed_email_of_another_customer_is_taken(as_alice, bob):
    bob.update_fields(email_confirmed=True)
    response = as_alice.patch("/api/customers/me/", {"email": bob.email.upper()})
    assert response.json()["errors"][0]["pointer"] == "/email"


def test_orders_keep_the_address_they_were_placed_with(as_alice, alice, product):
    order = factories.place(alice, {product: 1})
    as_alice.patch("/api/customers/me/", {"city": "Ribe"})
    assert as_alice.get(f"/api/orders/{order.pk}/").json()["shipping_address"]["city"] == "Aarhus"


def test_two_accounts_can_be_closed(alice, bob):
    for customer in (alice, bob):
        customer.change_password(factories.PASSWORD)
        assert close(api_of(customer)).status_code == 204


def test_concurrent_change_is_not_overwritten(as_alice, alice):
    """Another request writes after this one has read the row."""
    with connection.execute_wrapper(change_first(alice, first_name="Augusta")):
        as_alice.patch("/api/customers/me/", {"city": "Ribe"})
    alice.refresh_from_db()
    assert (alice.city, alice.first_name) == ("Ribe", "Augusta")


def test_account_closed_concurrently_stays_closed(as_alice, alice):
    with connection.execute_wrapper(change_first(alice, is_active=False, city="")):
        assert as_alice.patch("/api/customers/me/", {"city": "Ribe"}).status_code == 401
    alice.refresh_from_db()
    assert (alice.is_active, alice.city) == (False, "")


def change_first(customer, **changes):
    """Return a wrapper that makes the changes just before the next UPDATE."""

    def wrapper(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and changes:
            fields = changes.copy()
            changes.clear()
            type(customer).objects.filter(pk=customer.pk).update(**fields)
        return execute(sql, params, many, context)

    return wrapper


def test_nobody_can_register_the_name_of_a_closed_account(api, as_alice, alice):
    data = {"email": "x@example.com", "password": factories.PASSWORD}
    statuses = [
        api.post("/api/customers/", data | {"username": name}).status_code
        for name in (f"closed {alice.pk}", f"closed-{alice.pk}")
    ]
    assert statuses == [400, 201]
    alice.close()
    assert alice.username == f"closed {alice.pk}"


def test_address_that_is_the_user_name_of_another_can_be_sent_back(as_alice, alice):
    factories.customers.make(username="alice@example.com")  # by an earlier release
    data = {"email": "alice@example.com", "city": "Ribe"}
    assert as_alice.patch("/api/customers/me/", data).json()["city"] == "Ribe"
