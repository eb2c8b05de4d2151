"""Who is calling: by token, or by Basic with user name and password."""

from functools import partial

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.permissions import SAFE_METHODS

from customers.log_ins import TooManyFailures
from customers.models import Customer
from customers.tokens import AccessToken
from products.catalogue import memory
from shopply.api.throttling import CallerThrottle, network_of


class Counted:
    """A log-in that fails counts as a request without one: else trying would cost nothing."""

    def authenticate(self, request):
        given = request.META.get("HTTP_AUTHORIZATION")
        if given is None:  # DRF would map all headers to see that
            return None
        try:
            return self.recognise(request, given) or super().authenticate(request)
        except (exceptions.AuthenticationFailed, TooManyFailures):
            throttle = CallerThrottle()
            if not throttle.allows("anonymous", network_of(request)):
                raise exceptions.Throttled(throttle.wait()) from None
            raise

    def recognise(self, request, given):
        """Who is calling, if the header has the usual form; None leaves it to DRF."""
        return None


class TokenAuthentication(Counted, authentication.TokenAuthentication):
    """`Authorization: Token <TOKEN>`"""

    def recognise(self, request, given):
        scheme, _, key = given.partition(" ")
        if scheme != self.keyword or not key.isalnum():
            return None
        # Whoever comes to change something is looked up at that moment.
        turn = request.META.get("shopply.turn") if request.method in SAFE_METHODS else None
        return self.authenticate_credentials(key, partial(memory.asked, turn))

    def authenticate_credentials(self, key, *asked):
        customer = None if "\0" in key else Customer.objects.bearing(key, *asked)
        if customer is None:
            raise exceptions.AuthenticationFailed("Invalid token.")
        if not customer.is_active:
            raise exceptions.AuthenticationFailed("The account is closed.")
        token = AccessToken.objects.filter(key=key).first() if settings.TOKEN_TTL else None
        if token and token.expired:
            raise exceptions.AuthenticationFailed(
                f"The token expired at {token.expires:%Y-%m-%dT%H:%M:%SZ}.", "token_expired"
            )
        return customer, key


class BasicAuthentication(Counted, authentication.BasicAuthentication):
    """`Authorization: Basic <base64 of username:password>`"""

    def authenticate_credentials(self, userid, password, request=None):
        if "\0" in userid:
            raise exceptions.AuthenticationFailed("Invalid username/password.")
        return super().authenticate_credentials(userid, password, request)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "Token"

    def get_security_definition(self, auto_schema):
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token`, a space and your token, as in "
            "`Token 9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b`. On this page the token alone will "
            "do. `POST /api/obtain-token/` gives you one.",
        }


class BasicScheme(OpenApiAuthenticationExtension):
    target_class = BasicAuthentication
    name = "Basic"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "basic", "description": "User name and password."}
