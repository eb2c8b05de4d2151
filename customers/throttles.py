"""Request limits by RATES, against what would stop the shop. Staff are not limited.

A cache that is away limits nobody: the shop goes on.
"""

import threading
import time
from collections import defaultdict

from django.conf import settings
from prometheus_client import Counter
from rest_framework.throttling import BaseThrottle

from customers.rate_limits import CacheAway, FixedWindowLimit, network
from customers.slots import max_held_threads

SLOW = 0.5  # seconds

unlimited = Counter("shopply_unlimited_requests", "Requests not counted: the cache was away.")


class UserOrAnonThrottle(BaseThrottle):
    """All requests of a customer, or of an address without a log-in.

    Of those that take longer than SLOW, a caller has at most one fewer under way than a process
    has threads, so that nobody holds them all. Quick ones are never too many.
    """

    limit = None  # whose window the caller has to wait for

    def allow_request(self, request, view):
        if request.user.is_staff:
            return True
        scope, identifier = get_caller(request)
        return requests_under_way.begin((scope, identifier)) and self.allow(scope, identifier)

    def allow(self, scope, identifier):
        """Count a request, and return whether it is within the limit."""
        rate = settings.RATES[scope]
        if rate is None:
            return True
        self.limit = FixedWindowLimit(scope, *rate)
        try:
            return self.limit.increment(self.limit.key(identifier)) <= self.limit.max_count
        except CacheAway:
            unlimited.inc()
            return True

    def wait(self):
        return self.limit.wait if self.limit else 1


class ScopedThrottle(UserOrAnonThrottle):
    """A limit of its own for what costs more, named by `throttle_scope` of the view."""

    def allow_request(self, request, view):
        scope = getattr(view, "throttle_scope", None)
        if scope is None or request.user.is_staff:
            return True
        if scope == "account":  # else each new account could register the next ones
            return self.allow(scope, network(request.META["REMOTE_ADDR"]))
        return self.allow(scope, get_caller(request)[1])


def get_caller(request):
    """The name of the rate, and who is counted."""
    if request.user.is_authenticated:
        return "customer", request.user.pk
    return "anonymous", network(request.META["REMOTE_ADDR"])


class RequestsUnderWay:
    """Since when each caller's requests are under way in this process."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begun = defaultdict(dict)  # {caller: {thread: time}}
        self.current = threading.local()

    def begin(self, caller):
        """Return whether the caller may have one more under way, which this thread now serves."""
        now = time.monotonic()
        with self.lock:
            slow = sum(now - begun > SLOW for begun in self.begun[caller].values())
            if slow >= max_held_threads():
                return False
            self.begun[caller][threading.get_ident()] = now
        self.current.caller = caller
        return True

    def end(self):
        """What this thread served is answered."""
        caller = self.current.__dict__.pop("caller", None)
        if caller:
            with self.lock:
                requests = self.begun[caller]
                del requests[threading.get_ident()]
                if not requests:
                    del self.begun[caller]


requests_under_way = RequestsUnderWay()


def end_requests(get_response):
    """Middleware that says when a request is no longer under way."""

    def middleware(request):
        try:
            return get_response(request)
        finally:
            requests_under_way.end()

    return middleware
