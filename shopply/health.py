"""Probes for platforms and load balancers: is the process alive, and can it serve requests."""

import logging

from django.conf import settings
from django.db import Error
from django.http import JsonResponse
from django.views.decorators.http import require_safe

from shopply import database_status, task_queue
from shopply.api.exceptions import problem_response

logger = logging.getLogger("shopply.health")


@require_safe
def healthz(request):
    """Liveness: the process responds. Whatever else is broken, a restart would not help."""
    return JsonResponse({"status": "ok", "version": settings.VERSION})


@require_safe
def readyz(request):
    """Readiness: the database responds and has all migrations; tasks may wait."""
    status = database_status.check_database_with_timeout()
    if status is None:
        return JsonResponse({"status": "ok", "tasks": get_backlog()})
    logger.warning("Not ready: %s", status)
    response = problem_response(request, "service_unavailable", status.message)
    response["Retry-After"] = "1"
    return response


def get_backlog():
    """Return `{"waiting", "oldest_seconds"}`; None if the queue is elsewhere or does not answer."""
    try:
        backlog = database_status.call_with_timeout(
            lambda database: task_queue.get_backlog(), settings.QUEUE_PROBE_TIMEOUT
        )
    except (Error, TimeoutError):
        return None
    return backlog and backlog._asdict()
