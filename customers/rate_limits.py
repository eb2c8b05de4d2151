"""Fixed-window limits, counted in Django's default cache."""

import hashlib
import ipaddress
import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from django.conf import settings
from django.core.cache import cache
from redis import RedisError

PAUSE = 5  # seconds without calls after the cache did not respond

logger = logging.getLogger(__name__)


class CacheAway(Exception):
    """The cache does not respond, or did not within the last PAUSE seconds."""


@dataclass(frozen=True)
class FixedWindowLimit:
    """At most `max_count` in a window of `seconds`; windows begin at multiples of their length.

    `name` separates the counts of different limits.
    """

    name: str
    max_count: int
    seconds: int

    paused_until: ClassVar[float] = 0  # by the clock of time.monotonic()

    @property
    def wait(self):
        """Seconds until the next window begins, at least 1."""
        return int(self.seconds - time.time() % self.seconds) + 1

    def key(self, identifier, windows_ago=0):
        """Return the key of a caller in a window, hashed, so that the store has no names."""
        window = int(time.time() // self.seconds) - windows_ago
        text = f"{settings.SECRET_KEY}\n{self.name}\n{window}\n{identifier}"
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

    def increment(self, key, delta=1):
        """Add to the count of this key and return it, atomically. Raises CacheAway."""
        if time.monotonic() < self.paused_until:
            raise CacheAway
        try:
            return self._increment(key, delta)
        except RedisError as exc:
            logger.warning("The cache does not respond: %s", type(exc).__name__)
            FixedWindowLimit.paused_until = time.monotonic() + PAUSE
            raise CacheAway from exc

    def _increment(self, key, delta):
        try:
            return cache.incr(key, delta)
        except ValueError:  # the first in this window
            if cache.add(key, delta, timeout=2 * self.seconds):
                return delta
        try:
            return cache.incr(key, delta)  # another was first
        except ValueError:  # and the cache was emptied in between
            return delta


@lru_cache(1024)
def network(address):
    """Return the network that one caller has: an IPv4 address, or 64 bits of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and not parsed.ipv4_mapped:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
