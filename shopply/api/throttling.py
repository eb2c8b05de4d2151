"""How often callers may ask. Generous: against what would stop the shop, not against use.

Staff are not limited.
"""

import logging

from django.conf import settings
from django.db import OperationalError
from rest_framework.throttling import BaseThrottle

from customers.limits import Limit, network

logger = logging.getLogger("django.request")


class Meter:
    """A limit that mostly counts in this process.

    Requests are reported to the store that all processes share in lots of a twentieth of the
    limit, so that few of them cost anything; what other processes reported comes back with that.
    """

    LOTS = 20

    def __init__(self, limit):
        self.limit = limit
        self.lot = max(1, limit.most // self.LOTS)
        self.window = None

    def allows(self, who):
        if self.window != self.limit.window:
            self.here, self.elsewhere, self.window = {}, {}, self.limit.window
        here = self.here.get(who, 0) + 1
        if here + self.elsewhere.get(who, 0) > self.limit.most:
            return False
        self.here[who] = here
        if here % self.lot == 0:
            self.report(who, here)
        return here + self.elsewhere.get(who, 0) <= self.limit.most

    def report(self, who, here):
        try:
            self.elsewhere[who] = self.limit.count(self.limit.key(who), self.lot) - here
        except OperationalError:
            logger.warning("Requests are counted by each process: the shared store is away.")


def network_of(request):
    return network(request.META["REMOTE_ADDR"])


class CallerThrottle(BaseThrottle):
    """What a customer, or an address without a log-in, may ask for in all."""

    meters = {}

    def allow_request(self, request, view):
        rate, who = self.scope(request, view)
        return rate is None or request.user.is_staff or self.allows(rate, who)

    def allows(self, rate, who):
        name = (rate, *settings.RATES[rate])
        self.meter = self.meters.get(name) or self.meters.setdefault(name, Meter(Limit(*name)))
        return self.meter.allows(who)

    def wait(self):
        return self.meter.limit.wait

    def scope(self, request, view):
        """The name of the rate, and who is counted."""
        if request.user.is_authenticated:
            return "customer", request.user.pk
        return "anonymous", network_of(request)


class ScopeThrottle(CallerThrottle):
    """What costs more has a limit of its own, named by `throttle_scope` of the view."""

    def scope(self, request, view):
        rate = getattr(view, "throttle_scope", None)
        if rate == "account":  # else each new account could register the next ones
            return rate, network_of(request)
        return rate, super().scope(request, view)[1]
