"""`manage.py check --deploy` finds demo accounts with published passwords, and a missing cache."""

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.checks import Error, Tags, register
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
