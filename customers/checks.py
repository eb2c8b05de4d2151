"""`manage.py check --deploy` finds demo accounts, staff without limits, and a missing cache."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.checks import Error, Tags, Warning, register
from django.db import DatabaseError
from redis import RedisError

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


@register(Tags.database, deploy=True)
def check_staff_api_permissions(app_configs, databases, **kwargs):
    if not databases or settings.STAFF_API_PERMISSIONS:
        return
    accounts = get_user_model().objects.filter(is_staff=True, is_active=True, is_superuser=False)
    try:
        count = accounts.count()
    except DatabaseError:  # another check reports it
        return
    if count:
        yield Warning(
            "STAFF_API_PERMISSIONS is false: the API lets all staff do everything, whatever their"
            f" permissions in the admin; staff who are no superusers: {count}.",
            hint="Set it to true, once their groups in the admin allow what they need.",
            id="customers.W001",
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
