"""What `backup` and `restore` share, whichever database the shop is on."""

import os
import tempfile
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from django.core.management import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.template.defaultfilters import pluralize

PROGRESS_EVERY = 2  # seconds
MARKS = {"SQLite": b"SQLite format 3\0", "PostgreSQL": b"PGDMP"}  # that backups begin with


def database():
    """What can `dump` this database, `verify` a file, tell `migrations_in` it, and `restore` it."""
    return import_module(f"shopply.management.backups_{connection.vendor}")


@contextmanager
def made_whole(file, *, overwrite):
    """A temporary file beside `file`, which takes that name once the block is through.

    Only its owner may read it: it has the tokens and password hashes of everybody.
    """
    if file.is_dir() or not file.parent.is_dir():
        raise CommandError(f"{file} cannot be written: name a file in a folder that exists.")
    if file.exists() and not overwrite:
        raise CommandError(f"{file} exists: take another name, or --overwrite it.")
    try:
        handle, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
        try:
            yield Path(part)
            os.fsync(handle)
            Path(part).replace(file)
            folder = os.open(file.parent, os.O_RDONLY)
            os.fsync(folder)  # else the name may be gone after a power failure
            os.close(folder)
        finally:
            os.close(handle)
            for log in ("", "-journal", "-wal", "-shm"):  # SQLite's
                Path(part + log).unlink(missing_ok=True)
    except OSError as exc:
        raise CommandError(f"{file} cannot be written: {exc.strerror}.") from None


def megabytes(size):
    return f"{size / 1e6:,.1f} MB"


def progress(write):
    """A function of how much is done, and of how much, that writes a line now and then."""
    told = time.monotonic()

    def tell(done, of=None):
        nonlocal told
        if time.monotonic() - told >= PROGRESS_EVERY:
            told = time.monotonic()
            write(f"{megabytes(done)} of {megabytes(of)}" if of else megabytes(done))

    return tell


def refuse_another_kind(file):
    with file.open("rb") as opened:
        begins = opened.read(16)
    for kind, mark in MARKS.items():
        if begins.startswith(mark) and kind != connection.display_name:
            raise CommandError(
                f"{file} is a backup of {kind}, and the database is {connection.display_name}. "
                "Nothing was changed."
            )


def orders():
    """How many the database holds; None if it is no shop."""
    if connection.vendor == "sqlite" and not Path(connection.settings_dict["NAME"]).exists():
        return None  # to connect would make the file
    if "orders_order" not in connection.introspection.table_names():
        return None
    with connection.cursor() as cursor:  # no model: the database may be of an older release
        cursor.execute("SELECT count(*) FROM orders_order")
        return cursor.fetchone()[0]


def counted(orders):
    return f"{orders:,} order{pluralize(orders)}"


def known_migrations():
    return set(MigrationLoader(None).disk_migrations)


def named(migrations):
    return ", ".join(f"{app}.{name}" for app, name in sorted(migrations))
