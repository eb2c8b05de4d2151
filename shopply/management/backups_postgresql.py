"""Backups of PostgreSQL: archives of pg_dump in its custom format."""

import os
import re
import shutil
import subprocess
import tempfile

from django.core.management import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg import pq

from shopply.management.backups import named


def dump(part, tell):
    """Copy the database as of one moment; others go on writing meanwhile."""
    fitting("pg_dump")
    size = lambda: tell(part.stat().st_size)  # noqa: E731
    run("pg_dump", "--format=custom", f"--file={part}", each_second=size)


def verify(file):
    """Read all of a backup."""
    fitting("pg_restore")
    run("pg_restore", f"--file={os.devnull}", str(file))


def migrations_in(file):
    """Those of a backup, as pairs of app and name."""
    table = ("--data-only", "--table=django_migrations")
    told = run("pg_restore", *table, "--file=-", str(file))
    rows = re.search(r"^COPY \S+ \(id, app, name, applied\).*\n((?:.*\t.*\n)*)", told, re.MULTILINE)
    if not rows:
        raise CommandError(f"{file} is no backup of a shop.")
    return {tuple(row.split("\t")[1:3]) for row in rows[1].splitlines()}


def restore(file, tell):
    """Put the backup in place of what the database holds, in one transaction."""
    refuse_a_newer_database(migrations_in(file))
    with tempfile.NamedTemporaryFile("w", suffix=".list") as listing:
        listing.write("\n".join(entries(file)))
        listing.flush()
        run(
            *("pg_restore", "--single-transaction", "--clean", "--if-exists"),
            *("--no-owner", "--no-privileges", "--no-comments"),
            # No name: it is in the environment, as all that it takes to connect.
            *(f"--use-list={listing.name}", "--dbname=", str(file)),
            each_second=lambda: tell(database_size()),
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # else plans are bad until PostgreSQL does it by itself


def refuse_a_newer_database(migrations):
    """pg_restore removes what the backup has, and so not what later migrations made."""
    later = set(MigrationRecorder(connection).applied_migrations()) - migrations
    if later:
        raise CommandError(
            f"The database has what the backup was made before: {named(later)}. Nothing was "
            "changed. Restore into a new, empty database, and set DATABASE_URL to that."
        )


def entries(file):
    """What to restore: but extensions that are there, which perhaps another user owns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension")
        there = {name for (name,) in cursor.fetchall()}
    for entry in run("pg_restore", "--list", str(file)).splitlines():
        extension = re.search(r" EXTENSION - (\S+)", entry)
        if not extension or extension[1] not in there:
            yield entry


def database_size():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return cursor.fetchone()[0]


def fitting(program):
    """Refuse a program that is not there, or older than the server."""
    connection.ensure_connection()
    server = connection.pg_version // 10_000
    remedy = (
        f"install the client programs of PostgreSQL {server} or later (on Debian, "
        f"postgresql-client-{server}), and have them first on PATH."
    )
    if not shutil.which(program):
        raise CommandError(f"{program} is not on PATH: {remedy}")
    version = int(re.search(r"\(PostgreSQL\) (\d+)", run(program, "--version"))[1])
    if version < server:
        raise CommandError(
            f"{program} is of PostgreSQL {version}, and the server of {server}: {remedy}"
        )


def run(program, *arguments, each_second=lambda: None):
    """What the program says, once it is through."""
    process = subprocess.Popen(  # noqa: S603
        [shutil.which(program), *arguments],
        env=os.environ | access(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        while True:
            try:
                told, wrong = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                each_second()
            except BaseException:
                process.kill()
                raise
    if process.returncode:
        raise CommandError(f"{program} failed, and nothing was changed. {wrong.strip()}")
    return told


def access():
    """How Django connects, as libpq reads it from the environment: everybody sees arguments."""
    given = connection.get_connection_params()
    names = {o.keyword.decode(): o.envvar.decode() for o in pq.Conninfo.get_defaults() if o.envvar}
    return {names[key]: str(value) for key, value in given.items() if key in names}
