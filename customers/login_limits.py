"""Limits on log-ins that fail, counted in a store that all processes share."""

import logging
import time
from contextlib import suppress

from django.conf import settings

from customers.models import Counter
from customers.rate_limits import CacheAway, FixedWindowLimit

logger = logging.getLogger("django.security.log_in")


class LoginThrottled(Exception):
    """Log-ins to this account, or from this address, failed too often; `wait` is in seconds."""

    def __init__(self, wait):
        super().__init__(f"Too many log-ins failed; try again in {wait} seconds.")
        self.wait = wait


class LoginLimit(FixedWindowLimit):
    """Counts in the cache of CACHE_URL; without one, or while it is away, in the database.

    A process's own memory would not do.
    """

    def increment(self, key, delta=1):
        if settings.CACHE_URL:
            with suppress(CacheAway):
                return super().increment(key, delta)
        return Counter.objects.increment(key, delta, int(time.time()) + 2 * self.seconds)


def count_attempt(scope, identifier, address):
    """Count an attempt to log in; return its limit and key, to take it back if it succeeds.

    `scope` is "account" or "address". Raises LoginThrottled.
    """
    limit = LoginLimit(f"log-in {scope}", *settings.RATES[f"log_in_{scope}"])
    key = limit.key(identifier)
    count = limit.increment(key)
    if count > limit.max_count:
        if count == limit.max_count + 1:
            logger.warning("Too many log-ins failed for one %s; this came from %s", scope, address)
        raise LoginThrottled(limit.wait)
    return limit, key
