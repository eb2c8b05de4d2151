"""Forgotten passwords in the API: the request for a link, and the new password."""

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import generics, status
from rest_framework.response import Response

from customers.links import InvalidLink
from customers.login_limits import LoginLimit
from customers.models import Customer
from customers.password_links import open_link, reset_password
from customers.problems import map_busy
from customers.serializers import NewPasswordField, check_strength, validate_ascii
from customers.tasks import find_forgotten_accounts
from shopply.api.exceptions import ProblemException
from shopply.api.fields import CharField, EmailField
from shopply.api.query_params import CheckRequestMixin
from shopply.api.serializers import Serializer


def request_links(email):
    """Have the worker mail links to the accounts of this address, unless it had enough of them.

    It takes the same steps whether or not there is an account, which only the worker looks up.
    """
    limit = LoginLimit("password reset", *settings.RATES["password_reset"])
    if limit.increment(limit.key(email.upper())) <= limit.max_count:
        find_forgotten_accounts.enqueue(email)


@extend_schema_serializer(
    examples=[
        OpenApiExample("Your address", {"email": "lena.vogt@example.com"}, request_only=True),
    ]
)
class PasswordResetSerializer(Serializer):
    email = EmailField(
        max_length=Customer.email.field.max_length,
        validators=[validate_ascii],
        help_text="The e-mail address of your account, in any case.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A new password",
            {
                "uid": "Mg",
                "token": "cz9k2l-5f0c7e9ab1d24c6e8f3a5b7d9e1f2a4c",
                "new_password": "correct-horse-battery",
            },
            request_only=True,
        ),
    ]
)
class PasswordResetConfirmSerializer(Serializer):
    uid = CharField(write_only=True, max_length=50, help_text="From the link in the mail.")
    token = CharField(write_only=True, max_length=100, help_text="From the link in the mail.")
    new_password = NewPasswordField()


class PublicView(CheckRequestMixin, generics.GenericAPIView):
    """For those who cannot log in, limited by address."""

    authentication_classes = permission_classes = ()
    throttle_scope = "account"


@extend_schema(tags=["customers"])
class PasswordReset(PublicView):
    serializer_class = PasswordResetSerializer

    @extend_schema(
        summary="Forgotten password: request a link",
        description="Sends a mail to this address, if it is that of an active account, with a link "
        "to set a new password. It works once, within an hour. The response is the same whether or "
        "not there is such an account. Further requests for the same address send no mail for a "
        "while.",
        responses={202: None},
    )
    def post(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        request_links(serializer.validated_data["email"])
        return Response(status=status.HTTP_202_ACCEPTED)


@extend_schema(tags=["customers"])
class PasswordResetConfirm(PublicView):
    serializer_class = PasswordResetConfirmSerializer

    @extend_schema(
        summary="Forgotten password: set a new one",
        description="Sets the password with `uid` and `token` of the link in the mail, and revokes "
        "your token: obtain a new one. A link that was used, is older than an hour or was never "
        "valid is a 400 `invalid_link`.",
        responses={204: None},
        extensions={"x-problems": ["invalid_link"]},
    )
    def post(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        try:
            customer = open_link(values["uid"], values["token"])
            check_strength("new_password", values["new_password"], customer)
            with map_busy():
                reset_password(customer, values["new_password"])
        except InvalidLink:
            raise ProblemException("invalid_link") from None
        return Response(status=status.HTTP_204_NO_CONTENT)
