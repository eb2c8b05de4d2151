"""What a database undoes because of another transaction is tried again."""

import random
import sqlite3
import time
from functools import wraps

from django.db import OperationalError, connection

TRIES = 3
PATIENCE = 4  # seconds: who waited for a lock for so long has kept its process from others
# PostgreSQL: serialization failure, deadlock, lock not had in time, plan of before a migration.
UNDONE = {"40001", "40P01", "55P03", "0A000"}


def was_undone(error):
    """Whether the database surely undid the transaction, and only because of another one."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.OperationalError):
        return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return getattr(cause, "sqlstate", None) in UNDONE


def retried(verb):
    """For a verb that is one transaction: up to three tries, begun within PATIENCE.

    Raises the last OperationalError. A lost connection is not tried again: nobody knows whether
    the transaction was committed. Within an outer transaction there is one try, since it is the
    outer one that was undone.
    """

    @wraps(verb)
    def attempt(*args, **kwargs):
        tries = 1 if connection.in_atomic_block else TRIES
        deadline = time.monotonic() + PATIENCE
        for left in reversed(range(tries)):
            try:
                return verb(*args, **kwargs)
            except OperationalError as error:
                if not left or not was_undone(error) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.01, 0.1))  # noqa: S311  no secret, a pause

    return attempt
