"""Customers that keep placing orders, whatever happens to the servers meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from tests import factories

SHOPPERS = 8


class Shoppers:
    """Customers that order with `shop.client(customer)` and an idempotency key during the block.

    `acknowledged` lists the ids of the orders, `failures` the responses other than 201 and the
    exceptions; `longest` is the longest time in seconds that an order had to be retried.
    """

    def __init__(self, shop):
        self.product = factories.products.make(quantity_in_stock=1_000_000)
        self.clients = [
            shop.client(customer) for customer in factories.customers.make(_quantity=SHOPPERS)
        ]
        self.done = threading.Event()
        self.acknowledged, self.failures, self.longest = [], [], 0

    def __enter__(self):
        self.pool = ThreadPoolExecutor(SHOPPERS)
        self.futures = [self.pool.submit(self.shop, client) for client in self.clients]
        return self

    def __exit__(self, *exc):
        self.done.set()
        self.pool.shutdown()
        for future in self.futures:
            future.result()

    def go_on(self, orders):
        """Return once so many more orders are acknowledged."""
        target, deadline = len(self.acknowledged) + orders, time.monotonic() + 60
        while len(self.acknowledged) < target:
            assert time.monotonic() < deadline, f"{orders} orders do not come through in a minute"
            time.sleep(0.01)

    def shop(self, client):
        number = 0
        while not self.done.is_set():
            number += 1
            self.order(client, f"{id(client)}-{number}")

    def order(self, client, key):
        """Place an order, and retry it with its key after each failure."""
        failed_at = None
        while True:
            try:
                response = client.order({self.product.pk: 1}, Idempotency_Key=key)
                failure = None if response.status == 201 else response
            except (OSError, HTTPException) as exc:
                failure = exc
            if failure is None:
                if failed_at:
                    self.longest = max(self.longest, time.monotonic() - failed_at)
                self.acknowledged.append(response.body["id"])
                return
            self.failures.append(failure)
            failed_at = failed_at or time.monotonic()
            time.sleep(0.05)
