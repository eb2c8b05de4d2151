"""Request limits by RATES. Staff are not limited, and nobody is while the cache is away."""

import threading
import time
from collections import defaultdict

from django.conf import settings
from prometheus_client import Counter
from rest_framework.throttling import BaseThrottle

from customers.rate_limits import CacheAway, FixedWindowLimit, network
from shopply.api.slots import max_held_threads

SLOW_REQUEST = 0.5  # seconds

unlimited_requests = Counter(
    "shopply_unlimited_requests", "Requests without limits because the cache was away."
)


class UserOrAnonThrottle(BaseThrottle):
    """Limit all requests of a customer, or of an address without a log-in.

    Of requests longer than SLOW_REQUEST, a caller can have `max_held_threads` in progress, so that
    nobody holds all threads of a process.
    """

    limit = None  # the limit for whose window the caller has to wait

    def allow_request(self, request, view):
        if request.user.is_staff:
            return True
        scope, identifier = get_caller(request)
        if not requests_in_progress.begin((scope, identifier)):
            return False
        return self.allow(scope, identifier, view.headers)

    def allow(self, scope, identifier, headers):
        """Count a request, and return whether it is within the limit.

        Adds the limit to `headers`, which the view sends with its response.
        """
        rate = settings.RATES[scope]
        if rate is None:
            return True
        self.limit = FixedWindowLimit(scope, *rate)
        try:
            count = self.limit.increment(self.limit.key(identifier))
        except CacheAway:
            unlimited_requests.inc()
            return True
        add_rate_limit(headers, self.limit, count)
        return count <= self.limit.max_count

    def wait(self):
        return self.limit.wait if self.limit else 1


class ScopedThrottle(UserOrAnonThrottle):
    """Limit the requests of a view that names its rate by `throttle_scope`."""

    def allow_request(self, request, view):
        scope = getattr(view, "throttle_scope", None)
        if scope is None or request.user.is_staff:
            return True
        if scope == "account":  # by address: a new account could register the next ones
            identifier = network(request.META["REMOTE_ADDR"])
        else:
            _, identifier = get_caller(request)
        return self.allow(scope, identifier, view.headers)


def get_caller(request):
    """Return the name of the rate, and the identifier that is counted."""
    if request.user.is_authenticated:
        return "customer", request.user.pk
    return "anonymous", network(request.META["REMOTE_ADDR"])


def add_rate_limit(headers, limit, count):
    """Add a limit to RateLimit and RateLimit-Policy, lists of structured fields.

    As in draft-ietf-httpapi-ratelimit-headers-11: `"anonymous";q=600;w=60` is 600 requests in 60
    seconds; `"anonymous";r=50;t=30` is 50 more in the next 30 seconds.
    """
    remaining = max(0, limit.max_count - count)
    items = {
        "RateLimit-Policy": f'"{limit.name}";q={limit.max_count};w={limit.seconds}',
        "RateLimit": f'"{limit.name}";r={remaining};t={limit.wait}',
    }
    for name, item in items.items():
        headers[name] = f"{headers[name]}, {item}" if name in headers else item


class RequestsInProgress:
    """The start times of each caller's requests in progress in this process."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begun = defaultdict(dict)  # {caller: {thread: time}}
        self.current = threading.local()

    def begin(self, caller):
        """Return whether the caller can have one more request in progress, in this thread."""
        now = time.monotonic()
        with self.lock:
            slow = sum(now - begun > SLOW_REQUEST for begun in self.begun[caller].values())
            if slow >= max_held_threads():
                return False
            self.begun[caller][threading.get_ident()] = now
        self.current.caller = caller
        return True

    def end(self):
        """Forget the request that this thread served."""
        caller = self.current.__dict__.pop("caller", None)
        if caller:
            with self.lock:
                requests = self.begun[caller]
                del requests[threading.get_ident()]
                if not requests:
                    del self.begun[caller]


requests_in_progress = RequestsInProgress()


def end_requests(get_response):
    """Return middleware that ends requests in progress."""

    def middleware(request):
        try:
            return get_response(request)
        finally:
            requests_in_progress.end()

    return middleware
