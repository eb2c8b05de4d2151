import pytest
from django.contrib.sessions.backends.db import SessionStore  # noqa: F401

from orders.models import Order
from tests import factories


@pytest.fixture
def orders(alice, product):
    product.adjust_stock(1_000, reason="delivery", by=None)
    tea = factories.products.make(name="Darjeeling, first flush, in a tin with a lid that closes")
    orders = [
        factories.place(alice, {product: 2, tea: 1}, note="Ring twice.", reference="A-7")
        for _ in range(30)
    ]
    Order.objects.filter(pk=orders[-1].pk).update(shipping_address=None)
    Order.objects.filter(pk=orders[-2].pk).update(status="confirmed")
    return orders


def test_pages(admin_browser, orders):
    b = admin_browser
    for model in (
        "products/product",
        "customers/customer",
        "products/stockadjustment",
        "customers/accesstoken",
        "auth/group",
    ):
        b.open(model + "/")
        b.take_pictures("list-" + model.replace("/", "-"))
    b.open("orders/order/?status__exact=placed")
    b.take_pictures("orders")
