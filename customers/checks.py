"""`manage.py check --deploy`: demo accounts, staff without limits, links in mails, the cache."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.checks import Error, Tags, Warning, register
from django.db import DatabaseError
from redis import RedisError

from shopply.api.checks import needs_database
from shopply.api.mail import has_mail_server

# The accounts of fixtures/customers.json.
PUBLISHED_LOGINS = {
    "admin": "harbour-lane-admin",
    "lena": "harbour-lane-lena",
    "tomas": "harbour-lane-tomas",
}


def open_published_logins():
    """Return the names of active demo accounts that still have their published password."""
    accounts = get_user_model().objects.filter(username__in=PUBLISHED_LOGINS, is_active=True)
    return [
        account.username
        for account in accounts.order_by("id")
        if account.check_password(PUBLISHED_LOGINS[account.username])
    ]


@register(Tags.security, deploy=True)
def check_demo_passwords(app_configs, **kwargs):
    try:
        names = open_published_logins()
    except DatabaseError:  # no database yet, so no account in it
        return []
    return [
        Error(
            f"The demo account '{name}' has the password published in README.",
            hint=f"Run `manage.py changepassword {name}`, or close the account in the admin.",
            id="customers.E001",
        )
        for name in names
    ]


@register(Tags.security, deploy=True)
def check_links_in_mails(app_configs, **kwargs):
    own_pages = settings.PASSWORD_RESET_URL and settings.EMAIL_CONFIRMATION_URL
    if not (settings.SERVER_URL or own_pages):
        yield Error(
            "Links in mails have no address: ALLOWED_HOSTS does not say where the server is.",
            hint="Set SERVER_URL, or both PASSWORD_RESET_URL and EMAIL_CONFIRMATION_URL.",
            id="customers.E003",
        )


@register(Tags.database, deploy=True)
@needs_database
def check_staff_api_permissions():
    if settings.STAFF_API_PERMISSIONS:
        return
    accounts = get_user_model().objects.filter(is_staff=True, is_active=True, is_superuser=False)
    if count := accounts.count():
        yield Warning(
            "STAFF_API_PERMISSIONS is false: the API lets all staff do everything, whatever their"
            f" permissions in the admin; staff who are no superusers: {count}.",
            hint="Set it to true, once their groups in the admin allow what they need.",
            id="customers.W001",
        )


@register(Tags.security, deploy=True)
def check_confirmation_mails(app_configs, **kwargs):
    if settings.REQUIRE_CONFIRMED_EMAIL and not has_mail_server():
        yield Error(
            "REQUIRE_CONFIRMED_EMAIL is true and no mail is sent: nobody can order.",
            hint="Set EMAIL_URL, or unset REQUIRE_CONFIRMED_EMAIL.",
            id="customers.E004",
        )


@register(Tags.caches, deploy=True)
def check_cache(app_configs, **kwargs):
    try:
        cache.get("check")
    except RedisError as exc:
        yield Error(
            f"The cache at CACHE_URL is out of reach ({type(exc).__name__}).",
            hint="Start it, or unset CACHE_URL.",
            id="customers.E002",
        )
