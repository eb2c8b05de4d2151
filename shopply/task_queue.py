"""The queue of tasks in the shop's own database, unless TASKS_BACKEND is another one.

What killed workers left is run again; what failed is kept until a superuser has seen it.
"""

from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.db.models import Case, Count, Min, Q, When
from django.utils import timezone
from django_tasks import TaskResultStatus, task_backends
from django_tasks_db import DatabaseBackend
from django_tasks_db.models import DBTaskResult, get_date_max

MAX_WORKERS = 10  # that are lost with one task before it fails
MAX_COUNTED = 10_000  # tasks: probes must be quick


class Backlog(NamedTuple):
    """The tasks that are due: how many, up to MAX_COUNTED, and the age of the oldest of them."""

    waiting: int
    oldest_seconds: float


def uses_database():
    """Return whether tasks wait in the shop's database: other backends have tools of their own."""
    return isinstance(task_backends["default"], DatabaseBackend)


def requeue_lost_tasks():
    """Have tasks run again whose worker was killed: they have been running for TASK_TIMEOUT.

    Also those that a worker gave up because it was told to stop a second time. A task that was lost
    MAX_WORKERS times fails: its workers may die of it.
    """
    limit = timezone.now() - timedelta(seconds=settings.TASK_TIMEOUT)
    lost = DBTaskResult.objects.filter(
        Q(status=TaskResultStatus.RUNNING, started_at__lt=limit)
        | Q(status=TaskResultStatus.FAILED, exception_class_path="builtins.SystemExit")
    )
    lost.filter(**{f"worker_ids__{MAX_WORKERS - 1}__isnull": False}).update(
        status=TaskResultStatus.FAILED,
        finished_at=timezone.now(),
        exception_class_path="",
        traceback=f"{MAX_WORKERS} workers ran this task, and each was killed.",
    )
    lost.update(status=TaskResultStatus.READY, finished_at=None, exception_class_path="")


def remove_finished_tasks():
    """Remove tasks that succeeded over a day ago, and those that failed 30 days ago."""
    if uses_database():
        call_command("prune_db_task_results", min_age_days=1, failed_min_age_days=30, verbosity=0)


def get_backlog():
    """Return the Backlog; None if tasks wait elsewhere."""
    if not uses_database():
        return None
    due_at = Case(When(run_after=get_date_max(), then="enqueued_at"), default="run_after")
    due = DBTaskResult.objects.ready().annotate(due_at=due_at)[:MAX_COUNTED]
    backlog = due.aggregate(waiting=Count("pk"), oldest=Min("due_at"))
    oldest = backlog["oldest"]
    age = (timezone.now() - oldest).total_seconds() if oldest else 0
    return Backlog(backlog["waiting"], max(age, 0))


def count_retries():
    """Return how many tasks wait for their next attempt, up to MAX_COUNTED."""
    later = DBTaskResult.objects.filter(
        status=TaskResultStatus.READY, run_after__gt=timezone.now(), run_after__lt=get_date_max()
    )
    return later[:MAX_COUNTED].count()


def count_failed():
    """Return how many tasks failed for good, up to MAX_COUNTED."""
    return DBTaskResult.objects.failed()[:MAX_COUNTED].count()


def run_again(tasks, limit):
    """Have up to `limit` failed tasks of a queryset run again as if they were new; return them."""
    with transaction.atomic():
        failed = list(tasks.failed().order_by("pk").select_for_update()[:limit])
        for task in failed:
            task.status = TaskResultStatus.READY
            task.run_after = get_date_max()
            task.finished_at = None
            task.worker_ids = []
            task.args_kwargs["kwargs"].pop("attempt", None)  # of `retried_task`
        fields = ("status", "run_after", "finished_at", "worker_ids", "args_kwargs")
        DBTaskResult.objects.bulk_update(failed, fields, batch_size=100)
    return failed
