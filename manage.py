#!/usr/bin/env python
"""Django's command line: `python manage.py help` lists what it can do."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import Error


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")
    try:
        execute_from_command_line(sys.argv)
    except Error as error:
        from shopply import database_status  # not before: few commands need it

        status = database_status.check_database_with_timeout()
        # A missing table may also be a mistake in one of our own migrations.
        is_ours = sys.argv[1] == "migrate" or not database_status.is_schema_error(error)
        if status == database_status.MIGRATIONS_PENDING and is_ours:
            raise
        if not status or "--traceback" in sys.argv:
            raise
        sys.exit(f"CommandError: {status}")


if __name__ == "__main__":
    main()
