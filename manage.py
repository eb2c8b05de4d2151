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
        from shopply import faults  # not before: it is of use to few

        fault = faults.fault_in_time()
        # The table that is not there may also be one that a migration of ours misses.
        of_ours = sys.argv[1] == "migrate" or not faults.was_not_understood(error)
        if not fault or (fault == faults.BEHIND and of_ours) or "--traceback" in sys.argv:
            raise
        sys.exit(f"CommandError: {fault}")


if __name__ == "__main__":
    main()
