"""What whoever watches the server asks: does it live, and may it be sent requests."""

import logging
import threading
from queue import Empty, SimpleQueue

from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import JsonResponse
from django.views.decorators.http import require_safe

from shopply.api import problems

PATIENCE = 1.5  # seconds that the database has to answer

logger = logging.getLogger("shopply.health")


@require_safe
def healthz(request):
    """The process lives. Whatever else is broken, a restart would not mend it."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request):
    """Requests can be served: the database answers, and has all the migrations."""
    fault = asked_in_time(fault_of)
    if fault is None:
        return JsonResponse({"status": "ok"})
    logger.warning("Not ready: %s", fault)
    response = problems.answer(request, "service_unavailable", fault)
    response["Retry-After"] = "1"
    return response


migrated = threading.Event()  # once all were seen applied: looking them up takes long


def fault_of(database):
    """What keeps this database from serving requests; None if nothing does."""
    try:
        if not migrated.is_set():
            executor = MigrationExecutor(database)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "The database is behind on migrations."
            migrated.set()
        with database.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            cursor.fetchone()
    except Error as exc:
        logger.warning("The database is away: %s", exc)
        return "The database is out of reach."
    return None


def asked_in_time(question):
    """The answer of `question(database)`, or a fault: no setting bounds how long it may wait.

    It is asked on this thread's own connection, which requests use too, but by another thread. One
    that is left waiting keeps the connection, and requests get a new one.
    """
    database, answers = connections[DEFAULT_DB_ALIAS], SimpleQueue()

    def ask():
        connections[DEFAULT_DB_ALIAS] = database
        answers.put(question(database))

    database.inc_thread_sharing()
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=PATIENCE)
    except Empty:
        del connections[DEFAULT_DB_ALIAS]
        return "The database does not answer."
    database.dec_thread_sharing()
    return answer
