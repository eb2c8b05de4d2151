import time
from typing import NamedTuple

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks
from django.core.cache import cache
from django.core.management import BaseCommand, CommandError
from django.db import connection
from django.template.defaultfilters import pluralize
from redis import RedisError

from orders import books
from shopply import faults

SECONDS_APART = 2  # that two clocks may be


class Finding(NamedTuple):
    serious: bool
    what: str
    remedy: str


# What Django warns of, in terms of the variables that set it here.
WARNINGS = {
    "security.W004": Finding(
        False,
        "SECURE_HSTS_SECONDS is 0: browsers do not insist on HTTPS.",
        "Leave it out, for a year, once the domain and its subdomains are served by HTTPS alone.",
    ),
    "security.W008": Finding(
        False,
        "SECURE_SSL_REDIRECT is false: cookies of the admin travel by plain HTTP too.",
        "Leave it out, with TRUST_X_FORWARDED_PROTO=true behind a proxy that speaks HTTPS for us.",
    ),
    "security.W009": Finding(
        True,
        "SECRET_KEY can be guessed: it is short, has few characters, or is the one for localhost.",
        "Set it to 50 random characters or more; README has a line that makes one.",
    ),
}
CONSEQUENCES = {"security.W010", "security.W016"}  # of W008, on which the cookies depend


class Command(BaseCommand):
    help = (
        "Examines settings, database, cache, clock, static files and the books of the stock. "
        "Prints a line for each finding, with its remedy; exits with 1 if any is serious."
    )
    requires_system_checks = ()  # they are among the findings

    def handle(self, **options):
        found = [*of_checks(), *of_settings(), *of_statics(), *of_cache(), *of_database()]
        for finding in found:
            level = "SERIOUS" if finding.serious else "warning"
            self.stdout.write(f"{level}  {finding.what} {finding.remedy}")
        serious = sum(finding.serious for finding in found)
        if serious:
            raise CommandError(verdict(serious, len(found)))
        self.stdout.write(verdict(serious, len(found)))


def verdict(serious, found):
    if not found:
        return "No findings."
    if not serious:
        return f"{found} finding{pluralize(found)}, not serious."
    if found == 1:
        return "The one finding is serious."
    return f"{serious} of {found} findings {pluralize(serious, 'is,are')} serious."


def of_checks():
    """What `check --deploy` finds: debug, a weak secret, demo accounts, cookies without HTTPS."""
    if settings.DEBUG:
        yield Finding(
            True,
            "DEBUG is true: failures show code and settings to anyone, and HTTPS is not asked for.",
            "Set DEBUG=false, with a SECRET_KEY and ALLOWED_HOSTS.",
        )
    for message in checks.run_checks(include_deployment_checks=True):
        of_debug = settings.DEBUG and message.id.startswith("security.")
        if of_debug or message.is_silenced() or message.id in CONSEQUENCES:
            continue
        yield WARNINGS.get(message.id) or Finding(
            message.is_serious(checks.ERROR),
            f"{message.msg} ({message.id})",
            message.hint or "Django's documentation of its checks has more.",
        )


def of_settings():
    if settings.DEBUG:
        return
    if "*" in settings.ALLOWED_HOSTS:
        yield Finding(
            False,
            "ALLOWED_HOSTS is *: links in answers lead to whatever Host a request names.",
            "Set it to the names of the shop.",
        )
    if not settings.REST_FRAMEWORK["NUM_PROXIES"]:
        yield Finding(
            False,
            "NUM_PROXIES is 0: behind a proxy, all clients would share the limits of one address.",
            "Set it to how many proxies add to X-Forwarded-For.",
        )
    if connection.vendor == "sqlite":
        yield Finding(
            False,
            "The database is SQLite, a file that only the processes of this one machine share.",
            "Set DATABASE_URL to a PostgreSQL before there is a second machine.",
        )


def of_statics():
    manifest = getattr(staticfiles_storage, "manifest_name", None)  # none in debug
    if manifest and not staticfiles_storage.exists(manifest):
        yield Finding(
            True,
            "The static files are not collected, so the admin fails.",
            "Run `manage.py collectstatic --noinput`, as `Procfile` does before the server.",
        )


def of_cache():
    if not settings.CACHE_URL:
        return  # the database counts
    try:
        cache.get("doctor")
    except RedisError as exc:
        yield Finding(
            True,
            f"The cache at CACHE_URL is away ({type(exc).__name__}): limits are not shared.",
            "Start it, or leave CACHE_URL out to count in the database.",
        )


def of_database():
    fault = faults.fault_in_time()
    if fault:
        yield Finding(True, fault.in_full, fault.remedy)
        return
    yield from of_clock()
    if not True:
        yield Finding(
            True,
            "The census of the products is not what there is, or its triggers are gone: "
            "lists may be out of date.",
            "Run `manage.py migrate products 0003` and `manage.py migrate`.",
        )
    wrong = books.unbalanced().count()
    if wrong:
        yield Finding(
            True,
            f"The stock of {wrong} product{pluralize(wrong)} is not what adjustments and orders "
            "add up to.",
            "`manage.py verify_stock` names them, and deploy/RUNBOOK.md has what to do.",
        )


def of_clock():
    if connection.vendor != "postgresql":
        return  # the database has our own
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        apart = time.time() - cursor.fetchone()[0]
    if abs(apart) > SECONDS_APART:
        yield Finding(
            True,
            f"The clock is {apart:+.0f} seconds off that of the database.",
            "Run an NTP client on both machines.",
        )
