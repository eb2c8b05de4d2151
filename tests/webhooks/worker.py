"""A worker in this process: it does what is due, as `manage.py db_worker` does each second."""

from django.core.management import call_command
from django.db.models import F

from tests.changes.follower import wait_until_shown
from webhooks.models import Endpoint
from webhooks.tasks import enqueue_deliveries


def run_tasks():
    options = {"batch": True, "reload": False, "startup_delay": False}
    call_command("db_worker", interval=0, verbosity=0, **options)


def work():
    """Enqueue what is due and run all tasks."""
    wait_until_shown()
    enqueue_deliveries()
    run_tasks()


def make_due():
    """Have the next attempts be due now."""
    Endpoint.objects.exclude(next_attempt=None).update(next_attempt=F("failing_since"))
