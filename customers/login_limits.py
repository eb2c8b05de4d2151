"""Limits on log-ins that fail, counted in a store that all processes share."""

import logging
import time
from contextlib import suppress

from django.conf import settings

from customers.models import Counter
from customers.rate_limits import CacheAway, FixedWindowLimit, network

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


KNOWN_NETWORKS = LoginLimit("log-in network", 1, 90 * 86_400)


def count_attempts(username, address, has_token=False):
    """Count an attempt to log in; return its limits and keys, to take it back if it succeeds.

    Of an address it counts for all accounts. Of an account it counts for each network by itself, so
    that nobody keeps the owner out from elsewhere; and for all networks together, save those from
    which the account was logged in to. Who has the account's token counts apart from who has not.
    Raises LoginThrottled.
    """
    client = network(address)
    if has_token:
        return [count_attempt("account", f"{username}\ntoken\n{client}", address)]
    pair = f"{username}\n{client}"
    attempts = [
        count_attempt("address", client, address),
        count_attempt("account", pair, address),
    ]
    if not KNOWN_NETWORKS.increment(KNOWN_NETWORKS.key(pair), 0):
        attempts.append(count_attempt("everywhere", username, address))
    return attempts


def remember_network(username, client):
    """Note that the account was logged in to from this network."""
    KNOWN_NETWORKS.increment(KNOWN_NETWORKS.key(f"{username}\n{client}"))


def count_attempt(scope, identifier, address):
    """`scope` is "account", "address" or "everywhere"."""
    limit = LoginLimit(f"log-in {scope}", *settings.RATES[f"log_in_{scope}"])
    key = limit.key(identifier)
    count = limit.increment(key)
    if count > limit.max_count:
        if count == limit.max_count + 1:
            logger.warning("Too many log-ins failed for one %s; this came from %s", scope, address)
        raise LoginThrottled(limit.wait)
    return limit, key
