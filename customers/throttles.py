"""Request limits by RATES, against what would stop the shop. Staff are not limited.

A cache that is away limits nobody: the shop goes on.
"""

import logging

from django.conf import settings
from redis import RedisError
from rest_framework.throttling import BaseThrottle

from customers.rate_limits import FixedWindowLimit, network

logger = logging.getLogger(__name__)


class UserOrAnonThrottle(BaseThrottle):
    """All requests of a customer, or of an address without a log-in."""

    def allow_request(self, request, view):
        scope, identifier = self.get_scope(request, view)
        return scope is None or request.user.is_staff or self.allow(scope, identifier)

    def get_scope(self, request, view):
        """The name of the rate, and who is counted."""
        if request.user.is_authenticated:
            return "customer", request.user.pk
        return "anonymous", network(request.META["REMOTE_ADDR"])

    def allow(self, scope, identifier):
        """Count a request, and return whether it is within the limit."""
        rate = settings.RATES[scope]
        if rate is None:
            return True
        self.limit = FixedWindowLimit(scope, *rate)
        try:
            return self.limit.increment(self.limit.key(identifier)) <= self.limit.max_count
        except RedisError:
            logger.warning("Requests are not limited: the cache is away.")
            return True

    def wait(self):
        return self.limit.wait


class ScopedThrottle(UserOrAnonThrottle):
    """A limit of its own for what costs more, named by `throttle_scope` of the view."""

    def get_scope(self, request, view):
        scope = getattr(view, "throttle_scope", None)
        if scope == "account":  # else each new account could register the next ones
            return scope, network(request.META["REMOTE_ADDR"])
        return scope, super().get_scope(request, view)[1]
