"""Each event is mailed once, though processes read the feed at the same time or are killed."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from django.conf import settings
from django_tasks_db.models import DBTaskResult

from tests import factories
from tests.changes.follower import wait_until_shown
from tests.mail.worker import follow_feed
from tests.servers import database_url

ORDERS = 120  # more than the reader takes at a time
ENVIRONMENT = {"STAFF_EMAILS": "till@shop.example", "EMAIL_URL": "memorymail://"}
# Without mails to customers, of which the database refuses the second.
UNLOCKED_ENVIRONMENT = ENVIRONMENT | {"ORDER_MAILS": "false"}
READ = """
import os, signal, sys, django
django.setup()
{module}
from mail import feed
print("ready", flush=True)
sys.stdin.readline()
{read}
"""
MAKE_MAILS = "feed.make_mails()"
# After the mails of the first changes were written, and before the reader moved on.
KILL = """
from changes.models import Reader
def handle(changes):
    feed.enqueue_mails(changes)
    os.kill(os.getpid(), signal.SIGKILL)
Reader.objects.handle_next("mail", handle)
"""


@pytest.fixture
def orders(transactional_db, alice, settings):
    settings.STAFF_EMAILS = ["till@shop.example"]
    product = factories.products.make(quantity_in_stock=10 * ORDERS)  # never low
    orders = [factories.place(alice, {product: 1}).pk for _ in range(ORDERS)]
    wait_until_shown()
    return orders


def read_feed(processes, read, is_locked):
    """Read the feed in several processes, released at once; return their exit codes."""
    code = READ.format(module="" if is_locked else "import tests.mail.unlocked", read=read)
    environment = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "shopply.settings"}
    environment |= ENVIRONMENT if is_locked else UNLOCKED_ENVIRONMENT
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=settings.BASE_DIR,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    for reader in readers:
        assert reader.stdout.readline() == b"ready\n"
    for reader in readers:
        reader.stdin.write(b"\n")
        reader.stdin.flush()
    codes = []
    for reader in readers:
        reader.communicate(timeout=60)
        codes.append(reader.returncode)
    return codes


def count_mails():
    """Return how often each order is mailed to staff, and how many mails go to customers."""
    tasks = DBTaskResult.objects.values_list("task_path", "args_kwargs__args__0")
    orders = Counter(order for path, order in tasks if path.endswith(".send_staff_order_placed"))
    return orders, sum(len(pks) for path, pks in tasks if path.endswith(".send_order_mails"))


def test_two_processes_mail_each_event_once(orders):
    assert read_feed(2, MAKE_MAILS, is_locked=True) == [0, 0]
    follow_feed()
    assert count_mails() == (dict.fromkeys(orders, 1), ORDERS)


def test_two_processes_without_the_lock_mail_events_twice(orders):
    """The negative control."""
    read_feed(2, MAKE_MAILS, is_locked=False)
    assert max(count_mails()[0].values()) > 1


def test_process_that_is_killed_before_its_commit_mails_nothing_twice(orders):
    assert read_feed(1, KILL, is_locked=True) == [-9]
    assert count_mails() == ({}, 0)
    follow_feed()
    assert count_mails() == (dict.fromkeys(orders, 1), ORDERS)


def test_process_that_is_killed_without_the_transaction_mails_events_twice(orders):
    """The negative control."""
    assert read_feed(1, KILL, is_locked=False) == [-9]
    follow_feed()
    assert max(count_mails()[0].values()) > 1
