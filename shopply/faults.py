"""What keeps the database from serving, for whoever has to know: probes, problems and commands."""

import sqlite3
import threading
from queue import Empty, SimpleQueue
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.executor import MigrationExecutor


class Fault(NamedTuple):
    what: str
    remedy: str
    reason: str = ""  # in the words of the driver, which are not for callers

    @property
    def in_full(self):
        return f"{self.what} ({self.reason})" if self.reason else self.what

    def __str__(self):
        return f"{self.in_full} {self.remedy}"


BEHIND = Fault("The database is behind on migrations.", "Run `manage.py migrate`.")
SILENT = Fault("The database does not answer.", "Start it, or correct DATABASE_URL.")
AWAY = Fault("The database is out of reach.", "Start it, or correct DATABASE_URL.")

migrated = threading.Event()  # once all were seen applied: looking them up takes long


def fault_of(database):
    """The Fault that keeps this database from serving requests; None if nothing does."""
    try:
        if not migrated.is_set() and is_behind(database):
            return BEHIND
        with database.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            cursor.fetchone()
    except Error as exc:
        return AWAY._replace(reason=str(exc).partition("\n")[0])
    return None


def is_behind(database):
    executor = MigrationExecutor(database)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        migrated.clear()
        return True
    migrated.set()
    return False


def was_not_understood(error):
    """Whether the database knows no such table or column, or finds another fault with our SQL."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return (getattr(cause, "sqlstate", None) or "").startswith("42")


def fault_in_time():
    """What `fault_of` finds, or that nothing was heard: no setting bounds how long it may wait.

    It is asked on this thread's own connection, which requests use too, but by another thread. One
    that is left waiting keeps the connection, and requests get a new one.
    """
    database, answers = connections[DEFAULT_DB_ALIAS], SimpleQueue()

    def ask():
        connections[DEFAULT_DB_ALIAS] = database
        answers.put(fault_of(database))

    database.inc_thread_sharing()
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=settings.DATABASE_PROBE_TIMEOUT)
    except Empty:
        del connections[DEFAULT_DB_ALIAS]
        return SILENT
    database.dec_thread_sharing()
    return answer
