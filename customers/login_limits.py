"""Limits on failed log-ins, counted in a store that all processes share."""

import logging
import math
import time
from contextlib import suppress
from dataclasses import replace

from django.conf import settings

from customers.models import Counter
from customers.rate_limits import CacheAway, FixedWindowLimit, network

FIRST_PAUSE = 15  # seconds; each further pause is twice as long

logger = logging.getLogger(__name__)


def describe_wait(seconds):
    """Return "40 seconds", "11 minutes" or "2 hours", rounded up."""
    units = (("hour", 3600), ("minute", 60), ("second", 1))
    unit, length = next(unit for unit in units if seconds >= unit[1])
    count = math.ceil(seconds / length)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


class LoginThrottled(Exception):
    """Too many log-ins failed for this account or address; `wait` is in seconds."""

    def __init__(self, wait):
        super().__init__(f"Too many failed log-ins: try again in {describe_wait(wait)}.")
        self.wait = wait


class LoginLimit(FixedWindowLimit):
    """Counted in the cache of CACHE_URL; without one, or while it is away, in the database."""

    def increment(self, key, delta=1):
        if settings.CACHE_URL:
            with suppress(CacheAway):
                return super().increment(key, delta)
        return Counter.objects.increment(key, delta, int(time.time()) + 2 * self.seconds)

    def pause(self, identifier, excess):
        """Decide on the `excess`th attempt over the limit; return `(wait, is_first)`.

        `wait` is in seconds. It is 0 for the first attempt after a pause, which begins the next and
        longer pause. `is_first` is true if this attempt begins the first pause.
        """
        key = replace(self, name=f"{self.name} pause").key(identifier)
        now = int(time.time() % self.seconds)  # in this window, as is `end`
        end = self.increment(key, 0)
        if now < end:
            return end - now, False
        length = min(FIRST_PAUSE * 2 ** (excess if end else 0), self.wait)
        is_quickest = self.increment(key, now + length - end) == now + length
        return 0 if end and is_quickest else length, not end and is_quickest


KNOWN_NETWORKS = LoginLimit("log-in network", 1, 90 * 86_400)  # this window and the last


def count_attempts(username, address, has_token=False):
    """Count an attempt to log in; return its `[(limit, key)]`, to take it back if it succeeds.

    An attempt counts for its address, over all accounts; for the account and the network together,
    so that nobody locks the owner out from elsewhere; and for the account over all networks, except
    those from which somebody logged in to it before. Attempts with the account's token count
    separately. Raises LoginThrottled.
    """
    client = network(address)
    if has_token:
        return [count_attempt("account", f"{username}\ntoken\n{client}", address)]
    pair = f"{username}\n{client}"
    attempts = [
        count_attempt("address", client, address),
        count_attempt("account", pair, address),
    ]
    keys = (KNOWN_NETWORKS.key(pair, windows_ago) for windows_ago in (0, 1))
    if not any(KNOWN_NETWORKS.increment(key, 0) for key in keys):
        attempts.append(count_attempt("everywhere", username, address))
    return attempts


def remember_network(username, client):
    """Remember that somebody logged in to the account from this network."""
    KNOWN_NETWORKS.increment(KNOWN_NETWORKS.key(f"{username}\n{client}"))


def count_attempt(scope, identifier, address):
    """`scope` is "account", "address" or "everywhere"."""
    limit = LoginLimit(f"log-in {scope}", *settings.RATES[f"log_in_{scope}"])
    key = limit.key(identifier)
    excess = limit.increment(key) - limit.max_count
    wait, is_first = limit.pause(identifier, excess) if excess > 0 else (0, False)
    if is_first:
        logger.warning("Too many failed log-ins (limit: %s), last from %s", scope, address)
    if wait:
        limit.increment(key, -1)  # it was not checked
        raise LoginThrottled(wait)
    return limit, key
