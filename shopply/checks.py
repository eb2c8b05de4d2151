"""System checks of the project: `manage.py check --deploy --database default`.

Errors break the shop; Info is for settings that only some deployments intend. Apps check their own
tables.
"""

import os
import time
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import Error, Info, Tags, Warning, register
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection

from shopply import database_status, task_queue
from shopply.api.checks import needs_database

MAX_CLOCK_DIFFERENCE = 2  # seconds
MAX_TASK_DELAY = 300  # seconds: a worker that is restarted is back long before
UNKNOWN_ORIGIN = "https://any.invalid"  # of no page: the name is reserved


@register(Tags.security, deploy=True)
def check_optional_settings(app_configs, **kwargs):
    """An Info for each setting that only some deployments intend."""
    if not settings.SECURE_HSTS_SECONDS:
        yield Info(
            "SECURE_HSTS_SECONDS is 0: browsers do not insist on HTTPS.",
            hint="Unset it (one year) once the domain and its subdomains are HTTPS only.",
            id="shopply.I001",
        )
    if not settings.SECURE_SSL_REDIRECT:
        yield Info(
            "SECURE_SSL_REDIRECT is false: cookies of the admin travel by plain HTTP too.",
            hint="Unset it; behind a proxy with TLS, set TRUST_X_FORWARDED_PROTO=true.",
            id="shopply.I002",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Info(
            "ALLOWED_HOSTS is *: links in responses contain whatever Host a request has.",
            hint="Set it to the host names of the shop.",
            id="shopply.I003",
        )
    if not settings.REST_FRAMEWORK["NUM_PROXIES"]:
        yield Info(
            "NUM_PROXIES is 0: behind a proxy, all clients share the limits of one address.",
            hint="Set it to the number of proxies that add to X-Forwarded-For.",
            id="shopply.I004",
        )
    if any(origin.match(UNKNOWN_ORIGIN) for origin in settings.CORS_ALLOWED_ORIGIN_REGEXES):
        yield Info(
            "CORS_ALLOWED_ORIGIN_REGEXES accepts any origin: pages of all sites can call the API.",
            hint="Name the origins of your own pages, unless the API is meant for everybody's.",
            id="shopply.I006",
        )
    if connection.vendor == "sqlite":
        yield Info(
            "The database is SQLite, which only processes on this machine can share.",
            hint="Set DATABASE_URL to a PostgreSQL database before you add a second machine.",
            id="shopply.I005",
        )


@register(Tags.staticfiles, deploy=True)
def check_static_files(app_configs, **kwargs):
    manifest = getattr(staticfiles_storage, "manifest_name", None)  # none in debug
    if manifest and not staticfiles_storage.exists(manifest):
        yield Error(
            "The static files are not collected, so the admin fails.",
            hint="Run `manage.py collectstatic --noinput`, as `Procfile` does before the server.",
            id="shopply.E002",
        )


@register(Tags.files, deploy=True)
def check_media_folder(app_configs, **kwargs):
    if not isinstance(storages["default"], FileSystemStorage):
        return
    folder = Path(settings.MEDIA_ROOT)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        yield Info(
            "MEDIA_ROOT cannot be written, so nobody can add pictures of products.",
            hint="Mount a volume there that all servers share, or set AWS_STORAGE_BUCKET_NAME.",
            id="shopply.I007",
        )


@register(Tags.database, deploy=True)
def check_database_connection(app_configs, databases, **kwargs):
    """An Error if the database does not respond, is not migrated or has another time."""
    if not databases:
        return
    status = database_status.check_database_with_timeout()
    if status:
        yield Error(status.full_message, hint=status.hint, id="shopply.E004")
        return
    difference = clock_difference()
    if abs(difference) > MAX_CLOCK_DIFFERENCE:
        yield Error(
            f"The clock is {difference:+.0f} seconds off that of the database.",
            hint="Run an NTP client on both machines.",
            id="shopply.E005",
        )


@register(Tags.database, deploy=True)
@needs_database
def check_tasks():
    """A Warning if tasks wait and no worker takes them: the shop serves as before."""
    backlog = task_queue.get_backlog()
    if backlog and backlog.oldest_seconds > MAX_TASK_DELAY:
        yield Warning(
            f"A task has waited for {backlog.oldest_seconds / 60:.0f} minutes: no worker runs, or"
            " too few.",
            hint="Run `manage.py db_worker` beside the servers.",
            id="shopply.W001",
        )


def clock_difference():
    """Return the seconds that this machine is ahead of the database server; 0 on SQLite."""
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return time.time() - cursor.fetchone()[0]
