"""The shop without the guard on its stock, for the negative control of test_races: it oversells.

`take_stock` does not let the database compare and subtract. It writes a number computed from a read
without a lock, before the transaction, which on SQLite begins with the lock. Everything else is the
shop.
"""

import threading

from shopply.wsgi import application  # noqa: F401  (the server runs it; it also sets Django up)

# isort: split
from orders.managers import OrderManager
from products.managers import ProductManager
from products.models import Product

guarded_place = OrderManager._place
thread_local = threading.local()


def place(self, customer, quantities, **options):
    thread_local.products = Product.objects.check_availability(quantities)
    return guarded_place(self, customer, quantities, **options)


def take_stock(self, quantities):
    for pk, product in thread_local.products.items():
        self.filter(pk=pk).update(quantity_in_stock=product.quantity_in_stock - quantities[pk])
    return thread_local.products


OrderManager._place = place
ProductManager.take_stock = take_stock
