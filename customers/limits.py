"""Counting what is limited in number, in a store that all processes share."""

import hashlib
import hmac
import ipaddress
import time
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError, connection
from redis import RedisError

from customers.models import Counter


@dataclass(frozen=True)
class Limit:
    """At most so many in a window of so many seconds; windows begin at multiples of their length.

    `name` keeps the counts of one limit apart from those of another.
    """

    name: str
    most: int
    seconds: int

    @property
    def window(self):
        return int(time.time() // self.seconds)

    @property
    def wait(self):
        """Seconds until the next window begins, 1 or more."""
        return int(self.seconds - time.time() % self.seconds) + 1

    def key(self, who):
        """Whom is counted in this window. It tells nobody who that is."""
        told = f"{self.name}\n{self.window}\n{who}".encode(errors="surrogateescape")
        return hmac.new(settings.SECRET_KEY.encode(), told, hashlib.sha256).hexdigest()

    def count(self, key, n=1):
        """Add `n` to the count of this key, and return it. No other process counts in between.

        Raises OperationalError if the store is away.
        """
        if settings.CACHE_URL:
            return self._count_in_cache(key, n)
        return self._count_in_database(key, n)

    def _count_in_cache(self, key, n):
        try:
            cache.add(key, 0, timeout=2 * self.seconds)
            return cache.incr(key, n)
        except RedisError as exc:
            raise OperationalError("The cache is away.") from exc

    def _count_in_database(self, key, n):
        now = int(time.time())
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO customers_counter AS counted (key, count, expires)"
                " VALUES (%s, %s, %s)"
                " ON CONFLICT (key) DO UPDATE SET count = counted.count + excluded.count"
                " RETURNING count",
                [key, n, now + 2 * self.seconds],
            )
            count = cursor.fetchone()[0]
        if count == n and key.startswith("0"):  # every sixteenth new key cleans up
            Counter.objects.filter(expires__lt=now).delete()
        return count


@lru_cache(1024)
def network(address):
    """What one caller has of the address space: an IPv4 address, or 64 bits of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and not parsed.ipv4_mapped:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
