"""Tasks that are tried again: Django's, which `manage.py db_worker` runs.

A task runs at least once: its worker may die after the work and before that is noted. So each can
be run twice, or has an id by which receivers can tell.
"""

import logging
import random
from datetime import timedelta
from functools import partial, wraps

from django.utils import timezone
from django_tasks import task, task_backends
from django_tasks.base import DEFAULT_TASK_BACKEND_ALIAS, DEFAULT_TASK_PRIORITY

MAX_ATTEMPTS = 16  # within about a day
FIRST_DELAY = 10  # seconds
MAX_DELAY = 6 * 3600
URGENT = 10  # the priority of tasks for which somebody waits

logger = logging.getLogger("shopply.tasks")


def retry_delay(attempt):
    """Return the seconds after this attempt, the first of which is 1: twice as long each time.

    With jitter, so that what failed together does not come back together.
    """
    return min(FIRST_DELAY * 2 ** (attempt - 1), MAX_DELAY) * random.uniform(0.5, 1)  # noqa: S311


def retried_task(function=None, *, priority=DEFAULT_TASK_PRIORITY):
    """Make a task of a function: `name.enqueue(...)`, with arguments of JSON.

    One of a higher priority comes before others, unless the backend has no priorities.

    If it raises an exception, it is enqueued again, up to MAX_ATTEMPTS. Then it failed: the admin
    lists it, and an alert reports it.
    """

    if function is None:
        return partial(retried_task, priority=priority)
    if not task_backends[DEFAULT_TASK_BACKEND_ALIAS].supports_priority:
        priority = DEFAULT_TASK_PRIORITY

    @wraps(function)
    def attempt_call(*args, attempt=1, **kwargs):
        try:
            function(*args, **kwargs)
        except Exception as exc:
            if attempt >= MAX_ATTEMPTS:
                raise
            delay = retry_delay(attempt)
            logger.warning(
                "%s failed, attempt %d, next in %.0f s: %s",
                *(function.__name__, attempt, delay, type(exc).__name__),
            )
            later = result.using(run_after=timezone.now() + timedelta(seconds=delay))
            later.enqueue(*args, attempt=attempt + 1, **kwargs)

    result = task(priority=priority)(attempt_call)
    return result
