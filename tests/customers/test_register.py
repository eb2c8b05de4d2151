import pytest
from django.db import connection

from customers.models import Customer
from tests import factories

DATA = {
    "username": "mira",
    "password": factories.PASSWORD,
    "email": "mira@example.com",
    "first_name": "Mira",
    "last_name": "Lindqvist",
    "contact_number": "+46 31 555 01 20",
    "street_1": "Södra Larmgatan 14",
    "street_2": "",
    "city": "Göteborg",
    "state": "Västra Götaland",
    "postal_code": "411 16",
    "country": "Sweden",
}


def errors(response):
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def test_anonymous_client_registers_and_logs_in(api):
    response = api.post("/api/customers/", DATA)
    assert response.status_code == 201
    fields = {field: value for field, value in DATA.items() if field != "password"}
    assert response.json() == response.json() | fields | {"is_staff": False}
    credentials = {"username": "mira", "password": factories.PASSWORD}
    assert api.post("/api/obtain-token/", credentials).status_code == 200


def test_password_is_stored_hashed_and_never_returned(api):
    response = api.post("/api/customers/", DATA)
    assert factories.PASSWORD not in response.content.decode()
    assert factories.PASSWORD not in Customer.objects.get().password


@pytest.mark.parametrize("field", ["is_staff", "is_superuser", "is_active"])
def test_registration_grants_no_privileges(api, field):
    unknown = {"groups": [1]} | ({} if field == "is_staff" else {field: field != "is_active"})
    response = api.post("/api/customers/", DATA | unknown)
    assert set(errors(response).values()) == {"unknown_field"}
    assert api.post("/api/customers/", DATA | {"is_staff": True, "id": 77}).status_code == 201
    mira = Customer.objects.get()
    assert (mira.is_staff, mira.is_superuser, mira.is_active) == (False, False, True)
    assert mira.pk != 77


@pytest.mark.parametrize("name", ["mira", "MIRA", "Mira"])
def test_user_name_is_taken_whatever_its_case(api, name):
    factories.customers.make(username="mira")
    assert errors(api.post("/api/customers/", DATA | {"username": name})) == {"/username": "unique"}


def test_email_address_is_taken_whatever_its_case(api):
    factories.customers.make(email="Mira@Example.com", email_confirmed=True)
    assert errors(api.post("/api/customers/", DATA)) == {"/email": "unique"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"username": ""}, {"/username": "blank"}),
        ({"username": "mira lind"}, {"/username": "invalid"}),
        ({"username": "мира"}, {"/username": "invalid"}),
        ({"username": "m" * 151}, {"/username": "max_length"}),
        ({"username": "m" * 60_000}, {"/username": "max_length"}),
        ({"username": None}, {"/username": "null"}),
        ({"email": "mira"}, {"/email": "invalid"}),
        ({"username": "mira "}, {"/username": "invalid"}),
        ({"username": 7}, {"/username": "invalid"}),
        ({"email": ""}, {"/email": "blank"}),
        ({"email": "mira@exämple.com"}, {"/email": "invalid"}),
        ({"password": 4815162342}, {"/password": "invalid"}),
        ({"password": "short-one"}, {"/password": "password_too_short"}),
        ({"password": "password123"}, {"/password": "password_too_common"}),
        ({"password": "48151623420"}, {"/password": "password_entirely_numeric"}),
        ({"password": "mira@example.com"}, {"/password": "password_too_similar"}),
        ({"street_1": "x" * 201}, {"/street_1": "max_length"}),
        ({"city": "Göte\0borg"}, {"/city": "null_characters_not_allowed"}),
        ({"city": " " + "x" * 100}, {"/city": "max_length"}),
        ({"country": ["Sweden"]}, {"/country": "invalid"}),
        ({"country": 46}, {"/country": "invalid"}),
        ({"country": True}, {"/country": "invalid"}),
    ],
)
def test_bad_field_is_named(api, changes, expected):
    response = api.post("/api/customers/", DATA | changes)
    assert response.status_code == 400
    assert errors(response) == expected
    assert not Customer.objects.exists()


def test_all_missing_fields_are_named_at_once(api):
    assert errors(api.post("/api/customers/", {})) == {
        "/username": "required",
        "/email": "required",
        "/password": "required",
    }


def test_weak_password_is_reported_with_the_other_errors(api):
    factories.customers.make(email="mira@example.com", email_confirmed=True)
    for changes, expected in (
        ({"password": "short-one"}, {"/email": "unique", "/password": "password_too_short"}),
        (
            {"email": "mira", "country": 46, "password": "48151623420"},
            {"/email": "invalid", "/country": "invalid", "/password": "password_entirely_numeric"},
        ),
        (
            {"email": None, "username": "halvard.lind", "password": "halvard.lind"},
            {"/email": "null", "/password": "password_too_similar"},
        ),
        # An invalid field is not compared with the password: it may be of any length.
        (
            {"username": "halvard lind", "password": "halvard lind"},
            {"/email": "unique", "/username": "invalid"},
        ),
    ):
        assert errors(api.post("/api/customers/", DATA | changes)) == expected
    assert errors(api.post("/api/customers/", {"password": "short-one"})) == {
        "/username": "required",
        "/email": "required",
        "/password": "password_too_short",
    }
    for body in ([], [DATA], "mira", None):
        assert api.post("/api/customers/", body).status_code == 400


def test_name_taken_between_check_and_write_is_a_conflict(transactional_db, api):
    """Simulate a race: another account takes the name after the check and before the write."""

    def rival_first(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "email_confirmed" in sql and not rivals:  # the last check
            rivals.append("MIRA")
            factories.customers.make(username="MIRA")
        return result

    rivals = []
    with connection.execute_wrapper(rival_first):
        response = api.post("/api/customers/", DATA)
    assert response.status_code == 409
    assert response.json()["code"] == "conflict"
    assert Customer.objects.get().username == "MIRA"


def test_user_name_cannot_be_the_address_of_another(api):
    factories.customers.make(email="mira@example.com")
    response = api.post("/api/customers/", DATA | {"username": "Mira@Example.com"})
    assert errors(response) == {"/username": "unique"}


def test_user_name_may_be_the_own_address(api):
    data = DATA | {"username": DATA["email"]}
    assert api.post("/api/customers/", data).status_code == 201
    credentials = {"username": DATA["email"], "password": DATA["password"]}
    assert api.post("/api/obtain-token/", credentials).status_code == 200
