"""Retrying transactions that the database rolled back because of another one."""

import random
import sqlite3
import time
from functools import wraps

from django.conf import settings
from django.db import OperationalError, connection, transaction

MAX_ATTEMPTS = 3
# PostgreSQL: serialization failure, deadlock, lock timeout.
RETRYABLE_SQLSTATES = {"40001", "40P01", "55P03"}


def is_retryable(error):
    """Return whether the database rolled back, and only because of another transaction."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.OperationalError):
        return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return getattr(cause, "sqlstate", None) in RETRYABLE_SQLSTATES


def retry_transaction(method):
    """Decorate a method that is one transaction: up to MAX_ATTEMPTS, all within LOCK_TIMEOUT.

    Raises the last OperationalError. Does not retry after a lost connection, since the transaction
    may have been committed, or within an outer transaction, which was rolled back as a whole.
    """

    @wraps(method)
    def attempt(*args, **kwargs):
        attempts = 1 if connection.in_atomic_block else MAX_ATTEMPTS
        deadline = time.monotonic() + (settings.LOCK_TIMEOUT or 3600)  # 0 is for ever
        for left in reversed(range(attempts)):
            try:
                if left == attempts - 1:
                    return method(*args, **kwargs)
                with transaction.atomic():
                    limit_lock_wait((deadline - time.monotonic()) / (left + 1))
                    return method(*args, **kwargs)
            except OperationalError as error:
                if not left or not is_retryable(error) or time.monotonic() > deadline - 0.1:
                    raise
                time.sleep(random.uniform(0.01, 0.1))  # noqa: S311  no secret, a pause

    return attempt


def limit_lock_wait(seconds):
    """Limit waits for locks in the rest of the transaction, on PostgreSQL."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            timeout = f"{max(1, round(1000 * seconds))}ms"
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [timeout])
