"""Tokens: who sends one is that customer."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from rest_framework.authtoken.models import Token, TokenProxy

CLOCK_TOLERANCE = timedelta(minutes=1)


class LogInOutdated(Exception):
    """The password was changed, or the account closed, since the log-in was checked."""


class AccessToken(TokenProxy):
    """REST framework's token, which by itself is named by its key: admins show and log names."""

    class Meta:
        proxy = True
        verbose_name = "token"

    def __str__(self):
        return f"Token of {self.user}"

    @property
    def expires(self):
        """When it stops working (TOKEN_TTL after it was made); None for never."""
        return self.created + settings.TOKEN_TTL if settings.TOKEN_TTL else None

    @property
    def expired(self):
        """Also if it was made in the future, by a clock that was ahead: it would last too long."""
        now = timezone.now()
        return self.expires is not None and not self.created - CLOCK_TOLERANCE < now < self.expires

    @classmethod
    def issue(cls, customer):
        """The customer's token; a new one if there is none, or only one that expired.

        Raises LogInOutdated.
        """
        with transaction.atomic():
            # A change of the password waits for this lock, and revokes what was issued before it.
            current = get_user_model().objects.select_for_update(no_key=True).get(pk=customer.pk)
            if current.password != customer.password or not current.is_active:
                raise LogInOutdated
            token = cls.objects.filter(user=current).first()
            if token and token.expired:
                token.delete()
                token = None
            return token or cls.objects.create(user=current)

    @classmethod
    def revoke(cls, customer):
        """From now on the customer's token, if there is one, opens nothing."""
        Token.objects.filter(user=customer).delete()
