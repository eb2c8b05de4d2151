"""Servers and databases killed under load, and customers who send their orders again by key.

With LONG in the environment 20 kills of the servers and 5 of PostgreSQL, otherwise 4 and 2.
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
PATIENCE = 240  # seconds, for all the orders of a test


class Wish(NamedTuple):
    """An order that a customer wants once."""

    customer: int
    client: Client
    key: str
    quantities: dict

    def send(self):
        return self.client.order(self.quantities, timeout=30, Idempotency_Key=self.key)


class Shoppers:
    """Threads that send each order until it is acknowledged.

    Together they wish for all there is: what an order takes twice, another one will lack.
    """

    def __init__(self, server, wishes):
        customers = [factories.customers.make() for _ in range(2)]  # who use the same keys
        clients = [server.client(customer) for customer in customers]
        products = [factories.products.make(quantity_in_stock=0) for _ in range(3)]
        self.wishes = []
        for n in range(wishes):
            lines = random.sample(products, 3)
            quantities = {product.pk: random.randint(1, 3) for product in lines}
            self.wishes.append(Wish(customers[n % 2].pk, clients[n % 2], f"{n // 2}", quantities))
        for product in products:
            wanted = sum(wish.quantities[product.pk] for wish in self.wishes)
            product.adjust_stock(wanted, reason=Reason.DELIVERY, by=None)
        self.unanswered = []
        self.turned_away = threading.Event()

    def shop(self, crash, when):
        """`[(wish, answer)]`; calls `crash` each time that the orders acknowledged are `when`."""
        self.deadline = time.monotonic() + PATIENCE
        acknowledged = []
        with ThreadPoolExecutor(THREADS) as pool:
            orders = [pool.submit(self.order, wish) for wish in self.wishes]
            try:
                for order in as_completed(orders, timeout=PATIENCE):
                    acknowledged.append(order.result())
                    if len(acknowledged) in when:
                        time.sleep(random.uniform(0, 0.02))  # any step of a request may be hit
                        crash()
            finally:
                self.deadline = 0  # for what still waits if this failed
        return acknowledged

    def order(self, wish):
        while time.monotonic() < self.deadline:
            try:
                answer = wish.send()
            except (OSError, HTTPException):
                self.unanswered.append(wish)
            else:
                if answer.status == 201:
                    return wish, answer
                self.turned_away.set()
                assert answer.status == 503, answer
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.body["code"] == "service_unavailable"
            time.sleep(0.1)
        raise AssertionError(f"nobody acknowledged {wish}")


def moments(crashes):
    """After how many orders to crash, at random, and how many orders to place in all."""
    when = [*accumulate(random.randint(THREADS, 3 * THREADS) for _ in range(crashes))]
    return when, when[-1] + 50 * THREADS  # a kill takes as long as a hundred orders


def assert_books_have_just(acknowledged):
    orders = {
        (order.customer_id, order.idempotency_key): order
        for order in Order.objects.prefetch_related("items", "events")
    }
    assert Order.objects.count() == len(orders) == len(acknowledged)
    for wish, answer in acknowledged:
        order = orders[wish.customer, wish.key]
        assert order.pk == answer.body["id"]
        items = order.items.all()
        assert {item.product_id: item.quantity for item in items} == wish.quantities
        assert sum(item.unit_price * item.quantity for item in items) == order.total_price
        assert [event.status for event in order.event_list] == ["placed"]
        again = wish.send()
        assert (again.status, again.body) == (201, answer.body)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == len(orders)
    assert not stock_ledger.find_discrepancies()
    assert not Product.objects.exclude(quantity_in_stock=0)


@contextmanager
def running(server):
    try:
        yield server.start()
    finally:
        if server.process.poll() is None:
            server.kill()


def test_kill_of_all_server_processes_loses_and_doubles_no_order(transactional_db):
    when, wishes = moments(crashes=20 if LONG else 4)
    with running(Server(workers=2)) as server:
        shoppers = Shoppers(server, wishes)

        def crash():
            server.kill()
            server.start()

        acknowledged = shoppers.shop(crash, when)
        assert len(shoppers.unanswered) >= len(when), "the kills met no load"
        assert_books_have_just(acknowledged)


def test_kill_of_postgresql_loses_and_doubles_no_order(cluster):
    when, wishes = moments(crashes=5 if LONG else 2)
    with running(Server(workers=2)) as server:
        shoppers = Shoppers(server, wishes)
        connection.close()  # which the first kill would break

        def crash():
            cluster.kill()
            shoppers.turned_away.clear()
            told = shoppers.turned_away.wait(timeout=30)
            cluster.start()
            assert told, "nobody was told that the database is away"

        acknowledged = shoppers.shop(crash, when)
        assert_books_have_just(acknowledged)
