"""Staff get one mail each time the stock of a product falls to its limit."""

import pytest
from django.core import mail

from products.models import Reason
from tests.mail.worker import run_worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def subjects(settings, product):
    """A function that sets the stock step by step; returns the subjects of all mails since."""
    settings.STAFF_EMAILS, settings.ORDER_MAILS = ["till@shop.example"], False
    product.update_fields(low_stock_at=10)

    def count(*quantities):
        mail.outbox.clear()
        for quantity in quantities:
            product.refresh_from_db()
            delta = quantity - product.quantity_in_stock
            product.adjust_stock(delta, reason=Reason.CORRECTION, by=None)
            run_worker()
        return [message.subject.partition(":")[0] for message in mail.outbox]

    return count


def test_staff_get_one_mail_for_each_falling(subjects, product):
    assert subjects(11, 10, 9, 8) == ["Running low"]
    assert f"8 pieces of “{product.name}”" not in mail.outbox[0].body
    assert f"10 pieces of “{product.name}” are left" in mail.outbox[0].body
    assert subjects(0, 3) == ["Sold out"]
    assert subjects(50, 1) == ["Running low"]
    assert f"1 piece of “{product.name}” is left" in mail.outbox[0].body


def test_product_that_sells_out_at_once_is_one_mail(subjects):
    assert subjects(0) == ["Sold out"]


def test_retired_product_is_no_mail(subjects, product):
    product.update_fields(is_active=False)
    assert subjects(5) == []


def test_raised_limit_is_a_mail(subjects, product):
    assert subjects(20) == []
    product.update_fields(low_stock_at=20)
    run_worker()
    assert [message.subject for message in mail.outbox] == [f"Running low: {product.name}"]
