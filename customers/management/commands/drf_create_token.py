from django.core.management.base import CommandError
from rest_framework.authtoken.management.commands import drf_create_token

from customers.models import Customer
from customers.tokens import AccessToken, StaleLogin


class Command(drf_create_token.Command):
    """REST framework's, which by itself would hand out tokens that expired, or open nothing."""

    def create_user_token(self, username, reset_token):
        customer = Customer.objects.get_by_natural_key(username)
        if reset_token:
            AccessToken.revoke(customer)
        try:
            return AccessToken.issue(customer)
        except StaleLogin:
            raise CommandError(f"The account of {username} is closed.") from None
