"""Backups of SQLite: a database in a file by itself, made and read by its online backup API."""

import sqlite3
from contextlib import closing, contextmanager

from django.core.management import CommandError
from django.db import connection

PAGES = 2_500  # at a time: 10 MB


def dump(part, tell):
    """Copy the database as it is now; others go on writing meanwhile."""
    link = opened_database()
    with failures("The backup failed"), closing(sqlite3.connect(part)) as copy:
        # Held to what it is now: else each write of others would have the copy begin anew.
        link.execute("BEGIN")
        try:
            link.execute("SELECT 1 FROM django_migrations").fetchone()
            link.backup(copy, pages=PAGES, progress=telling(tell, copy))
        finally:
            link.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it


def verify(file):
    """Read all of a backup."""
    with failures(f"{file} is no whole backup of SQLite"), closing(opened(file)) as backup:
        (verdict,) = backup.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)


def migrations_in(file):
    """Those of a backup, as pairs of app and name."""
    with failures(f"{file} is no backup of a shop"), closing(opened(file)) as backup:
        return set(backup.execute("SELECT app, name FROM django_migrations"))


def restore(file, tell):
    """Write the backup over the database, in one transaction.

    Not by swapping files: a server that runs would go on with the old one, and lose its orders.
    This way it reads the old rows until the commit and the new ones from then on, and writers wait.
    """
    link = opened_database()
    with failures("The restore failed, and nothing was changed"), closing(opened(file)) as backup:
        backup.backup(link, pages=PAGES, progress=telling(tell, backup), sleep=0.05)


def opened_database():
    connection.ensure_connection()
    return connection.connection


def opened(file):
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)


def telling(tell, link):
    (size,) = link.execute("PRAGMA page_size").fetchone()
    return lambda status, remaining, total: tell((total - remaining) * size, total * size)


@contextmanager
def failures(what):
    try:
        yield
    except sqlite3.Error as exc:
        raise CommandError(f"{what}: {exc}.") from None
