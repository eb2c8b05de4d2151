import pytest
from django.db import IntegrityError, transaction

from customers.models import Customer
from tests import factories


@pytest.mark.parametrize(
    ("field", "value", "constraint"),
    [
        ("username", "ALICE", "customer_username_any_case"),
        ("email", "ALICE@example.com", "customer_email_any_case"),
    ],
)
def test_database_refuses_a_second_spelling_in_other_case(db, field, value, constraint):
    factories.customers.make(username="alice", email="alice@example.com")
    bob = factories.customers.make()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Customer.objects.filter(pk=bob.pk).update(**{field: value})


def test_accounts_without_email_do_not_collide(db):
    factories.customers.make(email="", _quantity=2)


def test_createsuperuser_needs_no_address(db):
    Customer.objects.create_superuser("root", password=factories.PASSWORD)
    assert Customer.objects.get_by_natural_key("Root").is_superuser
