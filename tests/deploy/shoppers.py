"""Customers who order one after the other, whatever happens to the servers meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from tests import factories

SHOPPERS = 8


class Shoppers:
    """They order from `shop.client(customer)`, each time with a key, while the block lasts.

    `acknowledged` has the ids of orders, `failures` what was no 201, `longest` the seconds that one
    had to be sent again and again.
    """

    def __init__(self, shop):
        self.product = factories.products.make(quantity_in_stock=1_000_000)
        self.clients = [shop.client(each) for each in factories.customers.make(_quantity=SHOPPERS)]
        self.done = threading.Event()
        self.acknowledged, self.failures, self.longest = [], [], 0

    def __enter__(self):
        self.pool = ThreadPoolExecutor(SHOPPERS)
        self.work = [self.pool.submit(self.shop, client) for client in self.clients]
        return self

    def __exit__(self, *exc):
        self.done.set()
        self.pool.shutdown()
        for each in self.work:
            each.result()

    def go_on(self, orders):
        """Return when so many more are acknowledged, however fast the machine."""
        enough, deadline = len(self.acknowledged) + orders, time.monotonic() + 60
        while len(self.acknowledged) < enough:
            assert time.monotonic() < deadline, f"{orders} orders do not come through in a minute"
            time.sleep(0.01)

    def shop(self, client):
        number = 0
        while not self.done.is_set():
            number += 1
            self.order(client, f"{id(client)}-{number}")

    def order(self, client, key):
        """Once more after each failure, as a client with a key may."""
        failed_at = None
        while True:
            try:
                answer = client.order({self.product.pk: 1}, Idempotency_Key=key)
                failure = None if answer.status == 201 else answer
            except (OSError, HTTPException) as exc:
                failure = exc
            if failure is None:
                if failed_at:
                    self.longest = max(self.longest, time.monotonic() - failed_at)
                self.acknowledged.append(answer.body["id"])
                return
            self.failures.append(failure)
            failed_at = failed_at or time.monotonic()
            time.sleep(0.05)
