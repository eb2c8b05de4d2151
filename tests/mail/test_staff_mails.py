"""Mails to STAFF_EMAILS."""

import pytest
from django.core import mail
from django_tasks_db.models import DBTaskResult

from products.models import Reason
from tests.factories import place
from tests.mail.worker import follow_feed, run_worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff_only(settings):
    settings.STAFF_EMAILS = ["till@shop.example", "desk@shop.example"]
    settings.ORDER_MAILS = False


def test_staff_are_told_of_a_new_order(staff_only, alice, product):
    order = place(alice, {product: 2}, note="Please ring twice.")
    run_worker()
    (message,) = mail.outbox
    assert message.to == ["till@shop.example", "desk@shop.example"]
    assert message.subject == f"New order {order.pk}: 25.00 EUR"
    assert "Please ring twice." in message.body
    assert message.extra_headers["Message-ID"].endswith("@localhost>")


def test_staff_are_told_when_a_product_is_sold_out(staff_only, product):
    for delta in (-99, -1, 5):
        product.adjust_stock(delta, reason=Reason.DAMAGED, by=None)
    run_worker()
    assert [message.subject for message in mail.outbox] == [f"Sold out: {product.name}"]


def test_no_task_is_made_without_staff_emails(alice, product, settings):
    settings.ORDER_MAILS = False
    place(alice, {product: 100})
    follow_feed()
    assert not DBTaskResult.objects.exists()
