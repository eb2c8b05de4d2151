"""Mails are part of what the shop holds about a person."""

from mail.models import OrderMail
from tests.factories import place


def test_export_has_the_mails(as_alice, alice, bob, product):
    orders = [place(customer, {product: 1}) for customer in (alice, bob)]
    for order in orders:
        OrderMail.objects.create(order=order, name=OrderMail.Name.PLACED)
    OrderMail.objects.send()
    (mail,) = as_alice.get("/api/customers/me/export/").json()["order_mails"]
    assert (mail["order"], mail["name"]) == (orders[0].pk, "order_placed")
    assert mail["sent"]


def test_closed_account_takes_its_mails_along(alice, bob, product):
    for customer in (alice, bob):
        order = place(customer, {product: 1})
        OrderMail.objects.create(order=order, name=OrderMail.Name.PLACED)
    alice.close()
    assert OrderMail.objects.get().order.customer == bob
