"""Log-in with user name or e-mail address and password, for tokens, Basic and the admin."""

import hashlib
import hmac
import secrets
import threading
import time

from django.contrib.auth.backends import ModelBackend

from customers.login_limits import count_attempts, remember_network
from customers.models import Customer, hashing
from customers.rate_limits import network


class RateLimitedModelBackend(ModelBackend):
    """Django's check of the password, with limits on failures and a short memory.

    `username` is a user name or an e-mail address; both count for the same account. An attempt is
    counted before the password is hashed, and taken back if it was right: however many arrive at
    once, no more are hashed than may fail. Unknown names take the same steps. Raises
    LoginThrottled; Busy, before anything is counted.
    """

    def authenticate(self, request, username=None, password=None, has_token=False, **kwargs):
        if username is None or password is None or "\0" in username + password:
            return None  # the hash would ignore trailing null characters
        # There is no request in commands.
        address = request.META.get("REMOTE_ADDR", "") if request else "this machine"
        client = network(address)
        customer = Customer.objects.get_by_login(username)
        username = customer.username if customer else username
        if customer and customer.is_active and verified_passwords.has(customer, password, client):
            return customer
        with hashing.acquire():
            account = username.upper()
            attempts = count_attempts(account, address, has_token)
            customer = super().authenticate(request, username, password, **kwargs)
            if customer:
                verified_passwords.add(customer, password, client)
                remember_network(account, client)
                for limit, key in attempts:
                    limit.increment(key, -1)
            return customer


class VerifiedPasswordCache:
    """Passwords that were right in the last minutes, so that Basic does not hash with each request.

    A hash takes 200 ms, which protects the passwords in a stolen database. The digest here is fast,
    and cannot be stolen with the database: its key is a secret of this process, and both stay in
    memory. Wrong passwords are never cached; they are hashed and counted each time. The stored hash
    is part of the digest, so a changed password ends it at once; so is the client's network, so
    that guessing from elsewhere stays limited. Thread-safe.
    """

    SECONDS = 300
    MAX_SIZE = 10_000

    def __init__(self):
        self.secret = secrets.token_bytes(32)
        self.expiry = {}
        self.lock = threading.Lock()

    def digest(self, customer, password, client):
        text = f"{customer.pk}\n{customer.password}\n{client}\n{password}"
        return hmac.digest(self.secret, text.encode(errors="surrogatepass"), hashlib.sha256)

    def has(self, customer, password, client):
        digest = self.digest(customer, password, client)
        return self.expiry.get(digest, 0) > time.monotonic()

    def add(self, customer, password, client):
        digest = self.digest(customer, password, client)
        with self.lock:
            if len(self.expiry) >= self.MAX_SIZE:
                self.expiry.clear()
            self.expiry[digest] = time.monotonic() + self.SECONDS


verified_passwords = VerifiedPasswordCache()
