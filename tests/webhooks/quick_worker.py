"""`manage.py db_worker` with shorter times, so that what a killed worker held is soon free."""

from datetime import timedelta

from django.core.management import call_command

from shopply.wsgi import application  # noqa: F401  sets Django up

# isort: split
from webhooks import client, models, tasks

client.TIMEOUT, tasks.WORK_TIME, models.LEASE = 1, 0.5, timedelta(seconds=2)
call_command("db_worker", reload=False, startup_delay=False, interval=0.1, verbosity=0)
