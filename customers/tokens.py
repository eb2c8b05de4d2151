"""Access tokens: issuing, expiry and revocation."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from rest_framework.authtoken.models import Token, TokenProxy

CLOCK_TOLERANCE = timedelta(minutes=1)
KEPT_EXPIRED = timedelta(days=30)  # so that its user learns that it expired


class StaleLogin(Exception):
    """The password was changed or the account closed after the log-in was checked."""


class AccessToken(TokenProxy):
    """REST framework's token, displayed by its owner: its own name is the key, which admins log."""

    class Meta:
        proxy = True
        verbose_name = "token"

    def __str__(self):
        return f"Token of {self.user}"

    @property
    def expires(self):
        """When it expires, TOKEN_TTL after it was created; None without a TOKEN_TTL."""
        return self.created + settings.TOKEN_TTL if settings.TOKEN_TTL else None

    @property
    def expired(self):
        """True also for a token created in the future, by a clock that was ahead."""
        now = timezone.now()
        return self.expires is not None and not self.created - CLOCK_TOLERANCE < now < self.expires

    @classmethod
    def issue(cls, customer):
        """Return the customer's token; create one if there is none, or an expired one.

        Raises StaleLogin.
        """
        with transaction.atomic():
            # A password change waits for this lock, and then revokes this token.
            current = get_user_model().objects.select_for_update(no_key=True).get(pk=customer.pk)
            if current.password != customer.password or not current.is_active:
                raise StaleLogin
            token = cls.objects.filter(user=current).first()
            if token and token.expired:
                token.delete()
                token = None
            return token or cls.objects.create(user=current)

    @classmethod
    def remove_expired(cls):
        """Delete the tokens that expired KEPT_EXPIRED ago; none without a TOKEN_TTL."""
        if settings.TOKEN_TTL:
            created_before = timezone.now() - settings.TOKEN_TTL - KEPT_EXPIRED
            Token.objects.filter(created__lt=created_before).delete()

    @classmethod
    def revoke(cls, customer):
        """Delete the customer's token, if there is one."""
        Token.objects.filter(user=customer).delete()
