import pytest
from django.db import connection

from customers.models import Customer
from tests import factories

FORM = {
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


def errors(answer):
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


def test_anonymous_caller_opens_an_account_and_logs_in(api):
    answer = api.post("/api/customers/", FORM)
    assert answer.status_code == 201
    sent = {field: value for field, value in FORM.items() if field != "password"}
    assert answer.json() == answer.json() | sent | {"is_staff": False}
    log_in = {"username": "mira", "password": factories.PASSWORD}
    assert api.post("/api/obtain-token/", log_in).status_code == 200


def test_password_is_stored_hashed_and_never_answered(api):
    answer = api.post("/api/customers/", FORM)
    assert factories.PASSWORD not in answer.content.decode()
    assert factories.PASSWORD not in Customer.objects.get().password


@pytest.mark.parametrize("field", ["is_staff", "is_superuser", "is_active"])
def test_nobody_registers_with_powers(api, field):
    api.post("/api/customers/", FORM | {field: field != "is_active", "groups": [1], "id": 77})
    mira = Customer.objects.get()
    assert (mira.is_staff, mira.is_superuser, mira.is_active) == (False, False, True)
    assert mira.pk != 77


@pytest.mark.parametrize("name", ["mira", "MIRA", "Mira"])
def test_user_name_is_taken_whatever_its_case(api, name):
    factories.customers.make(username="mira")
    assert errors(api.post("/api/customers/", FORM | {"username": name})) == {"/username": "unique"}


def test_email_address_is_taken_whatever_its_case(api):
    factories.customers.make(email="Mira@Example.com")
    assert errors(api.post("/api/customers/", FORM)) == {"/email": "unique"}


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
    answer = api.post("/api/customers/", FORM | changes)
    assert answer.status_code == 400
    assert errors(answer) == expected
    assert not Customer.objects.exists()


def test_all_missing_fields_are_named_at_once(api):
    assert errors(api.post("/api/customers/", {})) == {
        "/username": "required",
        "/email": "required",
        "/password": "required",
    }


def test_weak_password_is_named_beside_what_else_is_wrong(api):
    factories.customers.make(email="mira@example.com")
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
        # What is refused itself is not compared with: it may be of any length.
        (
            {"username": "halvard lind", "password": "halvard lind"},
            {"/email": "unique", "/username": "invalid"},
        ),
    ):
        assert errors(api.post("/api/customers/", FORM | changes)) == expected
    assert errors(api.post("/api/customers/", {"password": "short-one"})) == {
        "/username": "required",
        "/email": "required",
        "/password": "password_too_short",
    }
    for body in ([], [FORM], "mira", None):
        assert api.post("/api/customers/", body).status_code == 400


def test_name_taken_between_check_and_write_is_a_conflict(transactional_db, api):
    """What a race does, at the very moment it does it: after the check, before the write."""

    def rival_first(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "customers_customer"') and not rivals:
            rivals.append("MIRA")
            factories.customers.make(username="MIRA")
        return execute(sql, params, many, context)

    rivals = []
    with connection.execute_wrapper(rival_first):
        answer = api.post("/api/customers/", FORM)
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"
    assert Customer.objects.get().username == "MIRA"
