"""System checks of what Django does not look at: `manage.py check --deploy --database default`.

Errors break the shop; Info is what a deployment may have meant. Apps check their own tables.
"""

import os
import re
import time

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import Error, Info, Tags, register
from django.db import connection

from shopply import faults

MAX_CLOCK_DIFFERENCE = 2  # seconds

BOOLEAN = "(?i:true|false|yes|no|on|off|1|0)", "true or false"
NUMBER = "[0-9]{1,7}", "a whole number, 0 or more"
FORMATS = {  # of environment variables: a pattern, and what it matches in words
    **dict.fromkeys(("DEBUG", "SECURE_SSL_REDIRECT", "SECURE_HSTS_PRELOAD"), BOOLEAN),
    "TRUST_X_FORWARDED_PROTO": BOOLEAN,
    **dict.fromkeys(("CONN_MAX_AGE", "LOCK_TIMEOUT", "STATEMENT_TIMEOUT"), NUMBER),
    **dict.fromkeys(("MAX_UNITS_PER_ORDER", "MAX_OPEN_ORDERS"), NUMBER),
    "SECURE_HSTS_SECONDS": ("[0-9]{1,9}", "a whole number, 0 or more"),
    "NUM_PROXIES": ("[0-9]{1,2}", "a whole number, 0 or more"),
    "TOKEN_TTL": ("[0-9]{1,6}", "a whole number of days, 0 or more"),
    "PORT": (
        "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]",
        "a port, 1 to 65535",
    ),
    "WEB_CONCURRENCY": ("[1-9][0-9]{0,2}|1000", "a whole number, 1 to 1000"),
    "BLOCKING_THREADS": ("[1-9][0-9]?|100", "a whole number, 1 to 100"),
    "SHOP_CURRENCY": ("[A-Z]{3}", "a code of ISO 4217, such as EUR"),
    "ALLOWED_HOSTS": (
        r"([\w.*-]|\[[0-9a-f:.]+\]|, *)+",
        "host names separated by commas, without scheme, port or path",
    ),
    "DATABASE_URL": (
        r"postgres(ql)?://.+|sqlite:///.+|sqlite://:memory:|",
        "postgres://user:password@host:5432/name or sqlite:///file",
    ),
    "CACHE_URL": ("rediss?://.+|", "redis://host:6379/0"),
    "METRICS_TOKEN": ("[!-~]*", "one word of ASCII"),
    "SENTRY_RELEASE": (r"[^\s/\\]{1,200}", "one word, without slashes"),
    "SENTRY_ENVIRONMENT": (r"[^\s/]{1,64}", "one word, without slashes"),
}


@register()
def environment_is_well_formed(app_configs, **kwargs):
    """An Error for each variable that cannot mean what was meant; the value itself is not shown."""
    return [
        Error(f"{name} is malformed.", hint=f"Set it to {description}.", id="shopply.E001")
        for name, (pattern, description) in FORMATS.items()
        if name in os.environ and not re.fullmatch(pattern, os.environ[name], re.ASCII)
    ]


@register(Tags.security, deploy=True)
def choices_are_meant(app_configs, **kwargs):
    """An Info for each setting that is sound in some deployments only."""
    if not settings.SECURE_HSTS_SECONDS:
        yield Info(
            "SECURE_HSTS_SECONDS is 0: browsers do not insist on HTTPS.",
            hint="Leave it out (a year) once the domain and its subdomains are HTTPS only.",
            id="shopply.I001",
        )
    if not settings.SECURE_SSL_REDIRECT:
        yield Info(
            "SECURE_SSL_REDIRECT is false: cookies of the admin travel by plain HTTP too.",
            hint="Leave it out, with TRUST_X_FORWARDED_PROTO=true behind a proxy that has TLS.",
            id="shopply.I002",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Info(
            "ALLOWED_HOSTS is *: links in answers lead to whatever Host a request names.",
            hint="Set it to the names of the shop.",
            id="shopply.I003",
        )
    if not settings.REST_FRAMEWORK["NUM_PROXIES"]:
        yield Info(
            "NUM_PROXIES is 0: behind a proxy, all clients share the limits of one address.",
            hint="Set it to how many proxies add to X-Forwarded-For.",
            id="shopply.I004",
        )
    if connection.vendor == "sqlite":
        yield Info(
            "The database is SQLite, a file that only the processes of this machine share.",
            hint="Set DATABASE_URL to a PostgreSQL before there is a second machine.",
            id="shopply.I005",
        )


@register(Tags.staticfiles, deploy=True)
def static_files_are_collected(app_configs, **kwargs):
    manifest = getattr(staticfiles_storage, "manifest_name", None)  # none in debug
    if manifest and not staticfiles_storage.exists(manifest):
        yield Error(
            "The static files are not collected, so the admin fails.",
            hint="Run `manage.py collectstatic --noinput`, as `Procfile` does before the server.",
            id="shopply.E002",
        )


@register(Tags.database, deploy=True)
def database_is_sound(app_configs, databases, **kwargs):
    """Whether the database answers, is migrated and keeps the time."""
    if not databases:
        return
    fault = faults.fault_in_time()
    if fault:
        yield Error(fault.in_full, hint=fault.remedy, id="shopply.E004")
        return
    difference = clock_difference()
    if abs(difference) > MAX_CLOCK_DIFFERENCE:
        yield Error(
            f"The clock is {difference:+.0f} seconds off that of the database.",
            hint="Run an NTP client on both machines.",
            id="shopply.E005",
        )


def clock_difference():
    """Seconds that this machine is ahead of the database's; 0 on SQLite, which runs here."""
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return time.time() - cursor.fetchone()[0]
