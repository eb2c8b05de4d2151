import logging
import os
import time
from threading import Thread

from django.db import Error
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV
from django_tasks_db.management.commands import db_worker

from shopply.periodic_jobs import run_jobs

DATABASE_PAUSE = 2  # seconds

logger = logging.getLogger("shopply.worker")


class Command(db_worker.Command):
    """That of django-tasks-db, with the periodic jobs in a thread beside it.

    It waits for a database that is away: platforms restart what exits ever more slowly.
    """

    help = "Runs the tasks of the shop: mails, webhooks and what is due again and again."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.set_defaults(reload=False)  # a reload would interrupt tasks

    def handle(self, *, reload, batch, **options):
        # With `reload`, this process only watches the one that works.
        is_worker = not reload or os.environ.get(DJANGO_AUTORELOAD_ENV) == "true"
        if is_worker and not batch:
            Thread(target=run_jobs, daemon=True).start()
        while True:
            try:
                return super().handle(reload=reload, batch=batch, **options)
            except Error as exc:
                if batch:
                    raise
                # Further lines of PostgreSQL's messages contain values of rows.
                logger.warning("The database fails: %s", str(exc).partition("\n")[0])
            time.sleep(DATABASE_PAUSE)
