"""The worker in this process, for tests that are not about processes."""

import time

from django.core.management import call_command

from changes.models import Change, Reader
from mail.feed import READER, make_mails


def follow_feed():
    """Make the mails of all that was committed, though transactions elsewhere delay the feed."""
    deadline = time.monotonic() + 30
    while Change.objects.get_lag():
        assert time.monotonic() < deadline, "a transaction holds the feed up"
        time.sleep(0.02)
    while Reader.objects.get(pk=READER).get_lag():
        make_mails()


def run_tasks():
    options = {"startup_delay": False, "interval": 0, "verbosity": 0}
    call_command("db_worker", batch=True, **options)


def run_worker():
    follow_feed()
    run_tasks()
