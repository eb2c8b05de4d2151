"""Authentication by token (`Token` or `Bearer`) or password (`Basic`); and its OpenAPI schemes."""

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions

from customers.models import Customer
from customers.problems import map_login_errors
from customers.rate_limits import network
from customers.throttles import UserOrAnonThrottle
from customers.tokens import AccessToken
from shopply.api.exceptions import ProblemException

SCHEMES = {"token", "bearer", "basic"}


class ThrottleFailuresMixin:
    """Count a failed log-in as an anonymous request, so that attempts are limited.

    A header of another scheme fails too: otherwise its sender would count as nobody where no log-in
    is needed.
    """

    def authenticate(self, request):
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        try:
            # The server passes on a header that is not ASCII as an empty one.
            scheme, *_ = header.split(maxsplit=1) or [""]
            if scheme.lower() not in SCHEMES:
                raise exceptions.AuthenticationFailed(
                    "The Authorization header must begin with Token, Bearer or Basic."
                )
            return super().authenticate(request)
        except (exceptions.AuthenticationFailed, ProblemException):
            throttle, headers = UserOrAnonThrottle(), request.parser_context["view"].headers
            if not throttle.allow("anonymous", network(request.META["REMOTE_ADDR"]), headers):
                raise exceptions.Throttled(throttle.wait()) from None
            raise


class TokenAuthentication(ThrottleFailuresMixin, authentication.TokenAuthentication):
    """`Authorization: Token <TOKEN>`"""

    def authenticate_credentials(self, key):
        customer = None if "\0" in key else Customer.objects.for_token(key)
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


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer <TOKEN>`"""

    keyword = "Bearer"


class BasicAuthentication(ThrottleFailuresMixin, authentication.BasicAuthentication):
    """`Authorization: Basic <base64 of username:password>`"""

    def authenticate_credentials(self, userid, password, request=None):
        with map_login_errors():
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
            "`Token 9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b`. On this page the token alone is "
            "enough. `POST /api/obtain-token/` returns one. `Bearer` instead of `Token` is the "
            "same; any other scheme is a 401.",
        }


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = BearerAuthentication
    name = "Bearer"

    def get_security_definition(self, auto_schema):
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The same token as with `Token`, for clients that send `Bearer`.",
        }


class BasicScheme(OpenApiAuthenticationExtension):
    target_class = BasicAuthentication
    name = "Basic"

    def get_security_definition(self, auto_schema):
        description = "User name or e-mail address, and password."
        return {"type": "http", "scheme": "basic", "description": description}
