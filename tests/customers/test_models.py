import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from customers.models import Customer
from tests import factories


@pytest.mark.parametrize(
    ("field", "value", "constraint"),
    [
        ("username", "ALICE", "customer_username_any_case"),
        ("email", "ALICE@example.com", "customer_confirmed_email_any_case"),
    ],
)
def test_database_refuses_a_duplicate_in_other_case(db, field, value, constraint):
    factories.customers.make(username="alice", email="alice@example.com", email_confirmed=True)
    bob = factories.customers.make(email_confirmed=True)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Customer.objects.filter(pk=bob.pk).update(**{field: value})


def test_accounts_without_email_do_not_collide(db):
    factories.customers.make(email="", _quantity=2)


def test_createsuperuser_needs_no_address(db):
    Customer.objects.create_superuser("root", password=factories.PASSWORD)
    assert Customer.objects.get_by_natural_key("Root").is_superuser


@pytest.fixture
def make_superuser(db, monkeypatch):
    def make_superuser(password):
        monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
        options = {"username": "harbourmaster", "email": "hm@example.com"}
        call_command("createsuperuser", interactive=False, **options)

    return make_superuser


@pytest.mark.parametrize("password", ["short", "7250183946", factories.PASSWORD])
def test_superuser_is_created_without_prompts(make_superuser, api, password):
    make_superuser(password)
    credentials = {"username": "harbourmaster", "password": password}
    assert api.post("/api/obtain-token", credentials).status_code == 200
    assert Customer.objects.get().is_superuser


def test_createsuperuser_needs_a_name_that_nobody_has_in_any_case(make_superuser, alice):
    with pytest.raises(CommandError, match="taken"):
        call_command("createsuperuser", username="ALICE", email="a@example.com", interactive=False)
    call_command("createsuperuser", username="root", email="", interactive=False)
    assert Customer.objects.get(username="root").is_superuser
