"""Servers and databases are killed under load; customers retry their orders with a key.

With LONG in the environment the servers are killed 20 times and PostgreSQL 5 times, else 4 and 2.
"""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from http.client import HTTPException
from itertools import accumulate
from typing import NamedTuple

from django.db import connection

from orders import stock_ledger
from orders.models import Order
from products.models import Product, Reason
from tests import factories
from tests.servers import Client, Server

LONG = "LONG" in os.environ
THREADS = 6
TIMEOUT = 240  # seconds, for all orders of a test


class OrderRequest(NamedTuple):
    """An order that a customer wants to place once."""

    customer: int
    client: Client
    key: str
    quantities: dict

    def send(self):
        return self.client.order(self.quantities, timeout=30, Idempotency_Key=self.key)


class Shoppers:
    """Threads that send each order until it is acknowledged.

    Together they order the entire stock: if an order took stock twice, another would run short.
    """

    def __init__(self, server, count):
        customers = [factories.customers.make() for _ in range(2)]  # both use the same keys
        clients = [server.client(customer) for customer in customers]
        products = [factories.products.make(quantity_in_stock=0) for _ in range(3)]
        self.requests = []
        for n in range(count):
            ordered_products = random.sample(products, 3)
            quantities = {product.pk: random.randint(1, 3) for product in ordered_products}
            self.requests.append(
                OrderRequest(customers[n % 2].pk, clients[n % 2], f"{n // 2}", quantities)
            )
        for product in products:
            stock = sum(request.quantities[product.pk] for request in self.requests)
            product.adjust_stock(stock, reason=Reason.DELIVERY, by=None)
        self.failed_requests = []
        self.unavailable = threading.Event()

    def shop(self, crash, crash_points):
        """Return `[(request, response)]`; call `crash` after the orders of `crash_points`."""
        self.deadline = time.monotonic() + TIMEOUT
        acknowledged = []
        with ThreadPoolExecutor(THREADS) as pool:
            futures = [pool.submit(self.order, request) for request in self.requests]
            try:
                for future in as_completed(futures, timeout=TIMEOUT):
                    acknowledged.append(future.result())
                    if len(acknowledged) in crash_points:
                        time.sleep(random.uniform(0, 0.02))  # hits any step of a request
                        crash()
            finally:
                self.deadline = 0  # stops the other threads if this fails
        return acknowledged

    def order(self, request):
        while time.monotonic() < self.deadline:
            try:
                response = request.send()
            except (OSError, HTTPException):
                self.failed_requests.append(request)
            else:
                if response.status == 201:
                    return request, response
                self.unavailable.set()
                assert response.status == 503, response
                assert response.headers["Content-Type"] == "application/problem+json"
                assert int(response.headers["Retry-After"]) > 0
                assert response.body["code"] == "service_unavailable"
            time.sleep(0.1)
        raise AssertionError(f"nobody acknowledged {request}")


def choose_crash_points(crashes):
    """Return after how many orders to crash, at random, and how many orders to place."""
    crash_points = [*accumulate(random.randint(THREADS, 3 * THREADS) for _ in range(crashes))]
    return crash_points, crash_points[-1] + 50 * THREADS  # a kill takes as long as a hundred orders


def assert_only_these_orders_exist(acknowledged):
    orders = {
        (order.customer_id, order.idempotency_key): order
        for order in Order.objects.prefetch_related("items", "events")
    }
    assert Order.objects.count() == len(orders) == len(acknowledged)
    for request, response in acknowledged:
        order = orders[request.customer, request.key]
        assert order.pk == response.body["id"]
        items = order.items.all()
        assert {item.product_id: item.quantity for item in items} == request.quantities
        assert sum(item.unit_price * item.quantity for item in items) == order.total_price
        assert [event.status for event in order.event_list] == ["placed"]
        replay = request.send()
        assert (replay.status, replay.body) == (201, response.body)
        assert replay.headers["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == len(orders)
    assert not stock_ledger.find_discrepancies()
    assert not Product.objects.exclude(quantity_in_stock=0)


@contextmanager
def run_server(server):
    try:
        yield server.start()
    finally:
        if server.process.poll() is None:
            server.kill()


def test_kill_of_all_server_processes_loses_and_duplicates_no_order(transactional_db):
    crash_points, count = choose_crash_points(crashes=20 if LONG else 4)
    with run_server(Server(workers=2)) as server:
        shoppers = Shoppers(server, count)

        def crash():
            server.kill()
            server.start()

        acknowledged = shoppers.shop(crash, crash_points)
        assert len(shoppers.failed_requests) >= len(crash_points), "the kills met no load"
        assert_only_these_orders_exist(acknowledged)


def test_kill_of_postgresql_loses_and_duplicates_no_order(cluster):
    crash_points, count = choose_crash_points(crashes=5 if LONG else 2)
    with run_server(Server(workers=2)) as server:
        shoppers = Shoppers(server, count)
        connection.close()  # the first kill would break it

        def crash():
            cluster.kill()
            shoppers.unavailable.clear()
            was_unavailable = shoppers.unavailable.wait(timeout=30)
            cluster.start()
            assert was_unavailable, "nobody was told that the database is away"

        acknowledged = shoppers.shop(crash, crash_points)
        assert_only_these_orders_exist(acknowledged)
