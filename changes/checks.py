"""`manage.py check --deploy --database default` finds triggers that are missing or disabled."""

from django.core.checks import Error, Tags, register
from django.db import connection

from changes.triggers import list_triggers
from shopply.api.checks import needs_database

# The enabled triggers; PostgreSQL has one for each of three statements and of four tables.
TRIGGERS = {
    "postgresql": r"SELECT count(*) = 12 FROM pg_trigger"
    r" WHERE tgname LIKE 'changes\_%' AND tgenabled <> 'D'",
    "sqlite": "SELECT count(*) = {} FROM sqlite_master"
    " WHERE type = 'trigger' AND name LIKE 'changes_%'",
}


@register(Tags.database, deploy=True)
@needs_database
def check_triggers():
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS[connection.vendor].format(len(list_triggers())))
        (is_complete,) = cursor.fetchone()
    if not is_complete:
        yield Error(
            "Triggers of the feed of changes are missing or disabled, so it loses changes.",
            hint="Create or enable them again, as the first migration of `changes` does; on "
            "SQLite, run `manage.py migrate`.",
            id="changes.E001",
        )
