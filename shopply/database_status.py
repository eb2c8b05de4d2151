"""Why the database cannot serve requests, for probes, problems, checks and commands."""

import sqlite3
import threading
from concurrent.futures import Future
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.executor import MigrationExecutor


class DatabaseStatus(NamedTuple):
    message: str
    hint: str
    reason: str = ""  # in the words of the driver, which are not for callers

    @property
    def full_message(self):
        return f"{self.message} ({self.reason})" if self.reason else self.message

    def __str__(self):
        return f"{self.full_message} {self.hint}"


MIGRATIONS_PENDING = DatabaseStatus(
    "The database is behind on migrations.", "Run `manage.py migrate`."
)
NOT_RESPONDING = DatabaseStatus(
    "The database does not answer.", "Start it, or correct DATABASE_URL."
)
UNREACHABLE = DatabaseStatus("The database is out of reach.", "Start it, or correct DATABASE_URL.")

migrated = threading.Event()  # once all were seen applied: looking them up takes long


def check_database(database):
    """Return the DatabaseStatus that keeps this database from serving; None if it serves."""
    try:
        if not migrated.is_set() and has_pending_migrations(database):
            return MIGRATIONS_PENDING
        with database.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            cursor.fetchone()
    except Error as exc:
        return UNREACHABLE._replace(reason=str(exc).partition("\n")[0])
    return None


def has_pending_migrations(database):
    executor = MigrationExecutor(database)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        migrated.clear()
        return True
    migrated.set()
    return False


def is_schema_error(error):
    """Return whether the database rejects the SQL itself, as when a table or column is missing."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return (getattr(cause, "sqlstate", None) or "").startswith("42")


def check_database_with_timeout():
    """Return as `check_database` does, or NOT_RESPONDING after DATABASE_PROBE_TIMEOUT."""
    try:
        return call_with_timeout(check_database, settings.DATABASE_PROBE_TIMEOUT)
    except TimeoutError:
        return NOT_RESPONDING


def call_with_timeout(function, timeout):
    """Return what `function(connection)` returns; raise what it raises, or TimeoutError.

    No setting of a driver bounds all of its waits, so another thread calls it, on this thread's own
    connection, which requests use too. If that thread still waits, it keeps the connection, and
    requests get a new one.
    """
    database, future = connections[DEFAULT_DB_ALIAS], Future()

    def call():
        connections[DEFAULT_DB_ALIAS] = database
        try:
            future.set_result(function(database))
        except Exception as exc:
            future.set_exception(exc)

    database.inc_thread_sharing()
    threading.Thread(target=call, daemon=True).start()
    try:
        future.exception(timeout)
    except TimeoutError:
        del connections[DEFAULT_DB_ALIAS]
        raise
    database.dec_thread_sharing()
    return future.result()
