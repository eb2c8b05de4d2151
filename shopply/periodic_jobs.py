"""What the worker does beside its tasks, again and again: each job is safe in several processes."""

import logging
import time
from typing import NamedTuple

from django.core.management import call_command
from django.db import close_old_connections

from customers.tokens import AccessToken
from mail.feed import make_mails
from orders.models import Order
from products import media
from shopply import task_queue
from webhooks.tasks import enqueue_deliveries, remove_old_deliveries

logger = logging.getLogger("shopply.jobs")


class Job(NamedTuple):
    function: object  # without arguments
    interval: int  # seconds


def remove_expired_sessions():
    call_command("clearsessions")


JOBS = [
    Job(make_mails, 1),
    Job(enqueue_deliveries, 1),
    Job(task_queue.requeue_lost_tasks, 15),
    Job(Order.objects.cancel_expired, 60),
    # Expired counts of failed log-ins are removed when new ones are made.
    Job(AccessToken.remove_expired, 3600),
    Job(remove_expired_sessions, 3600),
    Job(task_queue.remove_finished_tasks, 3600),
    Job(remove_old_deliveries, 3600),
    Job(media.sweep_files, media.SWEEP_INTERVAL),
]


def run_jobs():
    """Run each job when it is due, for ever. One that fails is logged, and runs again."""
    due = dict.fromkeys(JOBS, 0)
    while True:
        for job, at in due.items():
            if time.monotonic() >= at:
                run_job(job)
                due[job] = time.monotonic() + job.interval
        time.sleep(1)


def run_job(job):
    close_old_connections()  # as requests do: the database may have been away
    try:
        job.function()
    except Exception:
        logger.exception("%s failed", job.function.__name__)
    finally:
        close_old_connections()
