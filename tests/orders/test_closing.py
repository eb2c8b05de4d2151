"""No order is accepted once the account is closed, even for a request that arrived earlier."""

import threading
import time

import pytest
from django.db import connection, transaction

from customers.models import Customer
from orders.managers import CustomerInactive
from orders.models import Order
from tests import factories
from tests.servers import Server


@pytest.mark.parametrize("action", ["close", "deactivate", "delete"])
def test_no_order_is_placed_for_an_account_closed_meanwhile(alice, product, action):
    stale_customer = Customer.objects.get(pk=alice.pk)
    if action == "close":
        alice.close()
    elif action == "deactivate":
        alice.is_active = False
        alice.save()
    else:
        alice.delete()
    with pytest.raises(CustomerInactive):
        factories.place(stale_customer, {product: 2}, key="k")
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    assert not Order.objects.exists()


def place_while_the_account_closes(module):
    """Place an order that waits for the closing; return its status and the number of orders."""
    alice, product, responses = factories.customers.make(), factories.products.make(), []
    server = Server(workers=1, module=module).start()
    try:
        client = server.client(alice)
        client.call("GET", "/api/products/")
        thread = threading.Thread(target=lambda: responses.append(client.order({product.pk: 1})))
        with transaction.atomic():
            alice.close()
            thread.start()
            time.sleep(0.5)  # it is authenticated and waits for the row lock, or SQLite's lock
        thread.join()
    finally:
        server.stop()
    return responses[0].status, Order.objects.filter(customer=alice).count()


@pytest.mark.django_db(transaction=True)
def test_order_that_waits_for_the_closing_is_rejected():
    assert place_while_the_account_closes("shopply.wsgi") == (401, 0)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_order_is_accepted():
    """The negative control."""
    if connection.vendor == "sqlite":
        pytest.skip("each transaction of SQLite begins by locking all")
    assert place_while_the_account_closes("tests.orders.unlocked") == (201, 1)
