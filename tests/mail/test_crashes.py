"""Every event is mailed, and nothing else, while workers and PostgreSQL's backends are killed.

Customers order from a real server, real workers send to a real mail server. With LONG in the
environment there are 1,000 orders, else 30.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest
from django.conf import settings
from django.db import connection
from django_tasks_db.models import DBTaskResult

from mail.models import OrderMail
from orders.models import Order
from tests import factories
from tests.mail.mail_server import MailServer
from tests.servers import PRODUCTION, Server, database_url

LONG = "LONG" in os.environ
ORDERS, KILLS = (1_000, 40) if LONG else (30, 5)
BUYERS = 6
TIMEOUT = 1_200 if LONG else 180  # seconds
STAFF = "till@shop.example"
# Of a killed worker's task; the sooner it is run again, the more often.
TASK_TIMEOUT = 5


class Workers:
    """Two processes of `manage.py db_worker`, which are started again when they end."""

    def __init__(self, mail_server):
        self.environment = PRODUCTION | {
            "DATABASE_URL": database_url(),
            "EMAIL_URL": mail_server.url,
            "STAFF_EMAILS": STAFF,
            "TASK_TIMEOUT": str(TASK_TIMEOUT),
        }
        self.processes = [self.start(), self.start()]

    def start(self):
        return subprocess.Popen(
            [sys.executable, "manage.py", "db_worker", "--interval", "0.2"],
            cwd=settings.BASE_DIR,
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def revive(self):
        """Start those that ended, as a platform does."""
        for index, process in enumerate(self.processes):
            if process.poll() is not None:
                self.processes[index] = self.start()

    def kill_one(self):
        process = random.choice(self.processes)
        process.kill()
        process.wait()

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def mail_server():
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def workers(transactional_db, mail_server):
    workers = Workers(mail_server)
    yield workers
    workers.stop()


@pytest.fixture
def server(transactional_db):
    server = Server(workers=2).start()
    yield server
    server.kill()


def kill_backends():
    """Terminate the connections of all but this one: of servers and of workers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def insist(call, *statuses):
    """Repeat a call until the server responds with one of these."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        try:
            response = call()
        except (OSError, HTTPException):
            continue
        if response.status in statuses:
            return response
        assert response.status >= 500, response
        time.sleep(0.1)
    raise AssertionError("the server does not respond")


def buy(customer, clerk, quantities, key):
    """Place an order and have it shipped; every fifth is cancelled instead, others fail."""
    order = insist(lambda: customer.order(quantities, Idempotency_Key=key), 201).body["id"]
    insist(lambda: customer.order({**quantities, min(quantities): 10_000}), 409)
    page = f"/api/orders/{order}"
    if order % 5 == 0:
        insist(lambda: customer.call("POST", f"{page}/cancel/", {"note": "Too late."}), 200)
        return
    # A 409 if it was done, and the response got lost.
    insist(lambda: clerk.call("POST", f"{page}/confirm/", {}), 200, 409)
    insist(lambda: clerk.call("POST", f"{page}/ship/", {}), 200, 409)


def count_unfinished_tasks():
    return DBTaskResult.objects.filter(status__in=["READY", "RUNNING"]).count()


def wait_until_all_is_sent(workers):
    deadline = time.monotonic() + TIMEOUT
    expected = Order.objects.count() + Order.objects.exclude(status="placed").count()
    while OrderMail.objects.exclude(sent=None).count() < expected or count_unfinished_tasks():
        assert time.monotonic() < deadline, "not all mails were sent"
        workers.revive()
        time.sleep(0.5)


def test_every_event_is_mailed_though_workers_are_killed(server, workers, mail_server, clerk):
    products = factories.products.make(quantity_in_stock=9 * ORDERS, _quantity=3)
    quantities = {product.pk: 1 for product in products}
    customers = factories.customers.make(_quantity=BUYERS)
    clients = [server.client(customer) for customer in customers]
    kills = 0
    with ThreadPoolExecutor(BUYERS) as pool:
        purchases = [
            pool.submit(buy, clients[n % BUYERS], server.client(clerk), quantities, f"{n}")
            for n in range(ORDERS)
        ]
        while kills < KILLS or not all(purchase.done() for purchase in purchases):
            time.sleep(random.uniform(0.2, 4))
            if connection.vendor == "postgresql" and kills % 3 == 2:
                kill_backends()
            else:
                workers.kill_one()
            kills += 1
            workers.revive()
    for purchase in purchases:
        purchase.result()
    wait_until_all_is_sent(workers)
    assert_mailed(mail_server, {customer.pk: customer.email for customer in customers})


def assert_mailed(mail_server, addresses):
    """Assert that each event has one mail, which arrived at its address, and that no other did."""
    assert Order.objects.count() == ORDERS
    actions = {"shipped": "order_shipped", "cancelled": "order_cancelled"}
    expected = Counter()
    for pk, status in Order.objects.values_list("pk", "status"):
        expected.update([(pk, "order_placed"), (pk, actions[status])])
    mails = OrderMail.objects.select_related("order")
    assert Counter((mail.order_id, mail.name) for mail in mails) == expected
    recipients = {message["Message-ID"]: to for to, message in mail_server.messages}
    sent = {f"<{mail.message_id}@localhost>": [addresses[mail.order.customer_id]] for mail in mails}
    to_staff = {pk: to for pk, to in recipients.items() if to == [STAFF]}
    assert recipients == sent | to_staff
    subjects = {
        message["Subject"].partition(":")[0]
        for _, message in mail_server.messages
        if message["Message-ID"] in to_staff
    }
    assert len(to_staff) == ORDERS
    assert subjects == {f"New order {pk}" for pk in Order.objects.values_list("pk", flat=True)}
    print(f"{len(mail_server.messages)} mails arrived, of which {len(recipients)} were different.")
