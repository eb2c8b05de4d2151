"""Workers and PostgreSQL are killed while they deliver: every order arrives, in order.

With LONG in the environment there are 1,000 orders and 20 kills (of PostgreSQL 5), else a few.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection, transaction

from changes.models import Change
from orders.models import Order
from tests import factories
from tests.servers import PRODUCTION, database_url
from tests.webhooks.receiver import make_endpoint
from webhooks.models import Delivery
from webhooks.tasks import MESSAGES_AT_ONCE

LONG = "LONG" in os.environ
ORDERS = 1_000 if LONG else 40


class Workers:
    """Two worker processes, started again whenever they end, as a platform does."""

    def __init__(self):
        environment = {"DATABASE_URL": database_url(), "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1"}
        self.environment = os.environ | PRODUCTION | environment
        self.environment["DJANGO_SETTINGS_MODULE"] = "shopply.settings"
        self.is_over = threading.Event()
        self.processes = [self.start(), self.start()]
        self.thread = threading.Thread(target=self.supervise)
        self.thread.start()

    def start(self):
        return subprocess.Popen(
            [sys.executable, "-m", "tests.webhooks.quick_worker"],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def supervise(self):
        while not self.is_over.wait(0.1):
            for number, process in enumerate(self.processes):
                if process.poll() is not None:
                    self.processes[number] = self.start()

    def kill(self):
        for process in [*self.processes]:
            process.send_signal(signal.SIGKILL)

    def stop(self):
        self.is_over.set()
        self.thread.join()
        self.kill()
        for process in self.processes:
            process.wait()


@contextmanager
def running_workers():
    workers = Workers()
    try:
        yield workers
    finally:
        workers.stop()


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def place_orders(customer, product, count):
    """Place orders, and one more for each four of them that is rolled back."""
    for number in range(count):
        factories.place(customer, {product: 1})
        if number % 4 == 0:
            with transaction.atomic():
                factories.place(customer, {product: 1})
                transaction.set_rollback(True)


def deliver_under_crashes(receiver, kills, crash):
    """Call `crash(workers)` in the middle of deliveries, again and again; see what arrives."""
    customer, product = factories.customers.make(), factories.products.make(quantity_in_stock=9_999)
    make_endpoint(receiver, events=["order.placed"])
    with running_workers() as workers:
        for _ in range(kills):
            place_orders(customer, product, ORDERS // kills)
            connection.close()
            count = len(receiver.events) + random.randint(1, ORDERS // kills // 2)
            wait_for(lambda count=count: len(receiver.events) >= count)
            crash(workers)
        wait_for(lambda: len({*receiver.events}) >= ORDERS // kills * kills)
        wait_for(lambda: not Delivery.objects.filter(succeeded=False).exists())
    placed = [("order.placed", pk) for pk in Order.objects.values_list("pk", flat=True)]
    changes, _ = Change.objects.read(limit=100_000)
    order = [change.object_id for change in changes if change.event == "placed"]
    first_arrivals = [*dict.fromkeys(receiver.events)]
    assert sorted(first_arrivals) == sorted(placed)
    assert [pk for _, pk in first_arrivals] == order
    # What a task had sent at a kill is sent again, with the id by which receivers can tell.
    assert len(receiver.messages) - len(placed) <= kills * MESSAGES_AT_ONCE
    assert len({message_id for message_id, _ in receiver.messages}) == len(placed)


@pytest.mark.slow
def test_kill_of_workers_loses_no_order_and_keeps_the_order(transactional_db, receiver):
    deliver_under_crashes(receiver, 20 if LONG else 2, Workers.kill)


@pytest.mark.slow
def test_kill_of_postgresql_loses_no_order_and_keeps_the_order(cluster, receiver):
    def crash(workers):
        cluster.kill()
        time.sleep(0.5)
        cluster.start()

    deliver_under_crashes(receiver, 5 if LONG else 2, crash)
