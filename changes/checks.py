"""`manage.py check --deploy --database default` finds triggers that are missing or disabled."""

from django.core.checks import Error, Tags, register
from django.db import DatabaseError, connection

from changes.triggers import list_triggers

# The enabled triggers; PostgreSQL has one for each of three statements and of four tables.
TRIGGERS = {
    "postgresql": r"SELECT count(*) = 12 FROM pg_trigger"
    r" WHERE tgname LIKE 'changes\_%' AND tgenabled <> 'D'",
    "sqlite": "SELECT count(*) = {} FROM sqlite_master"
    " WHERE type = 'trigger' AND name LIKE 'changes_%'",
}


@register(Tags.database, deploy=True)
def check_triggers(app_configs, databases, **kwargs):
    if not databases:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(TRIGGERS[connection.vendor].format(len(list_triggers())))
            (is_complete,) = cursor.fetchone()
    except DatabaseError:  # away or not migrated, which shopply/checks.py reports
        return
    if not is_complete:
        yield Error(
            "Triggers of the feed of changes are missing or disabled, so it loses changes.",
            hint="Create or enable them again, as the first migration of `changes` does; on "
            "SQLite, run `manage.py migrate`.",
            id="changes.E001",
        )
