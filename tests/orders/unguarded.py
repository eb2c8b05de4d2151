"""The shop without the guard on its stock, for the negative control of test_races: it oversells.

`take_stock` does not have the database compare and subtract. It writes a number reckoned from what
was read without a lock, before the transaction (whose beginning is the lock on SQLite). All else is
the shop.
"""

import threading

from shopply.wsgi import application  # noqa: F401  (what the server runs; it also sets Django up)

# isort: split
from orders.managers import OrderManager
from products.managers import ProductManager
from products.models import Product

guarded_place = OrderManager._place
seen = threading.local()


def place(self, customer, key, fingerprint, quantities, **wanted):
    seen.products = Product.objects.check_availability(quantities)
    return guarded_place(self, customer, key, fingerprint, quantities, **wanted)


def take_stock(self, quantities):
    for pk, product in seen.products.items():
        self.filter(pk=pk).update(quantity_in_stock=product.quantity_in_stock - quantities[pk])
    return seen.products


OrderManager._place = place
ProductManager.take_stock = take_stock
