"""The list of order mails in the admin."""

import pytest
from django.contrib.auth.models import Permission

from mail.models import OrderMail
from tests.factories import place

PATH = "/admin/mail/ordermail/"


@pytest.fixture
def mails(alice, product):
    return [
        OrderMail.objects.create(order=place(alice, {product: 1}), name=OrderMail.Name.PLACED)
        for _ in range(2)
    ]


def test_whoever_may_view_orders_sees_mails(client, clerk, mails):
    clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))
    client.force_login(clerk)
    assert PATH in client.get("/admin/").content.decode()
    assert f"Order {mails[0].order_id}" in client.get(PATH).content.decode()
    assert client.get(f"{PATH}{mails[0].pk}/change/").status_code == 200


@pytest.mark.parametrize(
    ("search", "count"), [("{order}", 1), ("#{order}", 1), ("9" * 19, 0), ("²", 0), (" ", 2)]
)
def test_search_finds_the_mails_of_an_order(in_the_admin, mails, search, count):
    page = in_the_admin.get(PATH, {"q": search.format(order=mails[1].order_id)})
    assert page.context["cl"].result_count == count


@pytest.mark.parametrize(("sent", "count"), [("yes", 1), ("no", 1), ("x", 2)])
def test_filter_shows_what_was_sent(in_the_admin, mails, sent, count):
    OrderMail.objects.filter(pk=mails[0].pk).send()
    page = in_the_admin.get(PATH, {"sent": sent})
    assert page.context["cl"].result_count == count
