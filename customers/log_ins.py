"""Logging in with name and password, the same over the token endpoint, Basic and the admin."""

import hashlib
import hmac
import logging
import secrets
import time

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from customers.limits import Limit, network
from customers.models import Customer

logger = logging.getLogger("django.security.log_in")


class TooManyFailures(Exception):
    """Log-ins to this account, or from this address, failed too often; `wait` is in seconds."""

    def __init__(self, wait):
        super().__init__(f"Too many log-ins failed; try again in {wait} seconds.")
        self.wait = wait


class LogIn(ModelBackend):
    """Django's check of name and password, with a limit on failures and a short memory.

    An attempt is counted before the password is hashed and, if it was right, counted back: however
    many come at once, no more are hashed than may fail. Names that nobody has are treated alike.
    """

    def authenticate(self, request, username=None, password=None, **kwargs):
        if username is None or password is None:
            return None
        # None in commands of the shop's own machine.
        address = request.META.get("REMOTE_ADDR", "") if request else "this machine"
        caller = network(address)
        customer = Customer.objects.filter(username__iexact=username[:151]).first()
        if customer and customer.is_active and right_passwords.has(customer, password, caller):
            return customer
        attempts = [
            count_attempt("address", caller, address),
            count_attempt("account", username[:151].upper(), address),
        ]
        customer = super().authenticate(request, username, password, **kwargs)
        if customer:
            right_passwords.add(customer, password, caller)
            for limit, key in attempts:
                limit.count(key, -1)
        return customer


def count_attempt(kind, who, address):
    """Count an attempt, and return its limit and key, to count it back. Raises TooManyFailures."""
    limit = Limit(f"log-in {kind}", *settings.RATES[f"log_in_{kind}"])
    key = limit.key(who)
    count = limit.count(key)
    if count > limit.most:
        if count == limit.most + 1:
            logger.warning("Too many log-ins failed for one %s; this came from %s", kind, address)
        raise TooManyFailures(limit.wait)
    return limit, key


class RightPasswords:
    """What was found right in the last minutes, so that Basic need not hash with every request.

    A hash is slow so that a stolen database does not tell the passwords. This one is fast, and is
    safe because it cannot be stolen with the database: it is keyed by a secret that this process
    made for itself, and both live in its memory alone and not for long. It tells what was right,
    and nothing of what was wrong; wrong passwords go the slow way, each time, and are counted. The
    stored hash is part of it, so that a changed password is forgotten at once; and the caller's
    network, so that others who guess are not told by being let in when they should be refused.
    """

    SECONDS = 300
    SIZE = 10_000

    def __init__(self):
        self.secret = secrets.token_bytes(32)
        self.until = {}

    def digest(self, customer, password, caller):
        told = f"{customer.pk}\n{customer.password}\n{caller}\n{password}"
        return hmac.digest(self.secret, told.encode(errors="surrogatepass"), hashlib.sha256)

    def has(self, *log_in):
        return self.until.get(self.digest(*log_in), 0) > time.monotonic()

    def add(self, *log_in):
        if len(self.until) >= self.SIZE:
            self.until.clear()
        self.until[self.digest(*log_in)] = time.monotonic() + self.SECONDS


right_passwords = RightPasswords()
