"""No order is accepted once the account is closed, not even of a request that was under way."""

import threading
import time

import pytest
from django.db import connection, transaction

from customers.models import Customer
from orders.managers import CustomerInactive
from orders.models import Order
from tests import factories
from tests.servers import Server


@pytest.mark.parametrize("end", ["close", "deactivate", "delete"])
def test_nothing_is_placed_for_an_account_that_was_shut_meanwhile(alice, product, end):
    meanwhile = Customer.objects.get(pk=alice.pk)
    if end == "close":
        alice.close()
    elif end == "deactivate":
        alice.is_active = False
        alice.save()
    else:
        alice.delete()
    with pytest.raises(CustomerInactive):
        Order.objects.place(customer=meanwhile, quantities={product.pk: 2}, key="k")
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    assert not Order.objects.exists()


def order_while_the_account_closes(module):
    """The status of an order that waits for the closing's transaction, and how many there are."""
    alice, product, answers = factories.customers.make(), factories.products.make(), []
    server = Server(workers=1, module=module).start()
    try:
        client = server.client(alice)
        client.call("GET", "/api/products/")
        order = threading.Thread(target=lambda: answers.append(client.order({product.pk: 1})))
        with transaction.atomic():
            alice.close()
            order.start()
            time.sleep(0.5)  # it is authenticated, and waits for the rows or for all of SQLite
        order.join()
    finally:
        server.stop()
    return answers[0].status, Order.objects.filter(customer=alice).count()


@pytest.mark.django_db(transaction=True)
def test_order_that_waits_for_the_closing_is_refused():
    assert order_while_the_account_closes("shopply.wsgi") == (401, 0)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_it_is_accepted():
    """The negative control."""
    if connection.vendor == "sqlite":
        pytest.skip("each transaction of SQLite begins by locking all")
    assert order_while_the_account_closes("tests.orders.unlocked") == (201, 1)
