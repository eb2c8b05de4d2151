"""System checks of what is in the database."""

from django.db import DatabaseError


def needs_database(check):
    """Decorate a check without arguments, which yields messages.

    It finds nothing if the database is not to be checked, or if it is away or not migrated, which
    `shopply/checks.py` reports.
    """

    # Not by `wraps`: Django looks at the arguments.
    def check_database(app_configs, databases, **kwargs):
        if not databases:
            return []
        try:
            return list(check())
        except DatabaseError:
            return []

    return check_database
