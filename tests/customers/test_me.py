import base64

import pytest
from django.db import connection

from tests import factories
from tests.contract import ContractClient

api_of = ContractClient().of


def test_me_is_the_account_that_is_logged_in(as_alice, as_bob):
    assert as_alice.get("/api/customers/me/").json()["username"] == "alice"
    assert as_bob.get("/api/customers/me/").json()["username"] == "bob"


def test_profile_changes_only_where_told(as_alice, alice):
    answer = as_alice.patch("/api/customers/me/", {"city": "Ribe", "postal_code": "6760"})
    assert answer.json()["city"] == "Ribe"
    alice.refresh_from_db()
    assert (alice.city, alice.postal_code, alice.street_1) == ("Ribe", "6760", "Kattesundet 4")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 77),
        ("username", "root"),
        ("is_staff", True),
        ("is_superuser", True),
        ("is_active", False),
        ("password", "something-else"),
        ("date_joined", "2001-01-01T00:00:00Z"),
    ],
)
def test_what_is_not_the_customers_to_set_stays(as_alice, alice, field, value):
    assert as_alice.patch("/api/customers/me/", {field: value}).status_code == 200
    before = getattr(alice, field)
    alice.refresh_from_db()
    assert getattr(alice, field) == before


def test_my_own_address_is_not_taken_by_me(as_alice, alice):
    alice.change_password(factories.PASSWORD)
    form = {"email": alice.email.upper(), "current_password": factories.PASSWORD}
    assert api_of(alice).patch("/api/customers/me/", form).status_code == 200


@pytest.mark.parametrize(
    ("more", "code"), [({}, "required"), ({"current_password": "a-guess-at-it"}, "wrong")]
)
def test_another_address_needs_the_password(alice, more, code):
    alice.change_password(factories.PASSWORD)
    answer = api_of(alice).patch("/api/customers/me/", {"email": "eve@example.com"} | more)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/current_password", code)
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


def test_address_as_it_is_needs_no_password(as_alice, alice):
    answer = as_alice.patch("/api/customers/me/", {"email": alice.email, "city": "Ribe"})
    assert answer.json()["city"] == "Ribe"


def close(client, password=factories.PASSWORD):
    return client.post("/api/customers/me/close/", {"current_password": password})


def test_account_is_closed_with_the_password_alone(alice):
    alice.change_password(factories.PASSWORD)
    client = api_of(alice)
    assert close(client, "a-guess-at-it").json()["errors"][0]["pointer"] == "/current_password"
    refusal = client.delete("/api/customers/me/")
    assert refusal.status_code == 403
    assert "/api/customers/me/close/" in refusal.json()["detail"]
    assert client.get("/api/customers/me/").status_code == 200
    assert close(client).status_code == 204
    assert client.get("/api/customers/me/").status_code == 401


def test_account_is_closed_by_basic(api, alice):
    alice.change_password(factories.PASSWORD)
    pair = base64.b64encode(f"alice:{factories.PASSWORD}".encode()).decode()
    api.credentials(HTTP_AUTHORIZATION=f"Basic {pair}")
    assert api.delete("/api/customers/me/").status_code == 204
    alice.refresh_from_db()
    assert alice.closed


def test_email_of_another_customer_is_taken(as_alice, bob):
    answer = as_alice.patch("/api/customers/me/", {"email": bob.email.upper()})
    assert answer.json()["errors"][0]["pointer"] == "/email"


def test_orders_keep_the_address_they_were_placed_with(as_alice, alice, product):
    order = factories.place(alice, {product: 1})
    as_alice.patch("/api/customers/me/", {"city": "Ribe"})
    assert as_alice.get(f"/api/orders/{order.pk}/").json()["shipping_address"]["city"] == "Aarhus"


def test_closed_accounts_do_not_get_in_each_others_way(alice, bob):
    for customer in (alice, bob):
        customer.change_password(factories.PASSWORD)
        assert close(api_of(customer)).status_code == 204


def test_what_changed_in_the_meantime_is_not_undone(as_alice, alice):
    """Another request's write, after this one has read the row."""
    with connection.execute_wrapper(change_first(alice, first_name="Augusta")):
        as_alice.patch("/api/customers/me/", {"city": "Ribe"})
    alice.refresh_from_db()
    assert (alice.city, alice.first_name) == ("Ribe", "Augusta")


def test_account_closed_in_the_meantime_stays_closed(as_alice, alice):
    with connection.execute_wrapper(change_first(alice, is_active=False, city="")):
        assert as_alice.patch("/api/customers/me/", {"city": "Ribe"}).status_code == 401
    alice.refresh_from_db()
    assert (alice.is_active, alice.city) == (False, "")


def change_first(customer, **changes):
    """Makes the changes just before the next UPDATE."""

    def wrapper(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and changes:
            now = changes.copy()
            changes.clear()
            type(customer).objects.filter(pk=customer.pk).update(**now)
        return execute(sql, params, many, context)

    return wrapper


def test_nobody_can_register_the_name_of_a_closed_account(api, as_alice, alice):
    form = {"email": "x@example.com", "password": factories.PASSWORD}
    for name in (f"closed {alice.pk}", f"closed-{alice.pk}"):
        api.post("/api/customers/", form | {"username": name})
    alice.close()
