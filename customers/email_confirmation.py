"""The confirmation of e-mail addresses: in the API, and on a page of this server."""

from django.shortcuts import render
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import exceptions, permissions, status
from rest_framework.decorators import action
from rest_framework.response import Response

from customers.email_links import confirm, request_link
from customers.links import InvalidLink
from shopply.api.exceptions import ProblemException
from shopply.api.fields import CharField
from shopply.api.mail import describe_shop
from shopply.api.serializers import Serializer, reject_fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Of a link",
            {"uid": "Mg", "token": "1wQ3Zk:6YhJq0u5u0m4c1h4yqV3p8mF3kq2o9a7tTz0b1xWc5E"},
            request_only=True,
        ),
    ]
)
class ConfirmEmailSerializer(Serializer):
    uid = CharField(write_only=True, max_length=50, help_text="From the link in the mail.")
    token = CharField(write_only=True, max_length=100, help_text="From the link in the mail.")


class EmailConfirmationActions:
    """Mixed into the CustomerViewSet."""

    @extend_schema(
        summary="Confirm an e-mail address",
        description="With `uid` and `token` of the link in the mail; no log-in is needed. A new "
        "address takes effect now, and the old one is told. Other accounts lose the address, which "
        "they never confirmed. A link that was used, is older than three days or is of another "
        "address than the account has by now is a 400 `invalid_link`.",
        responses={204: None},
        extensions={"x-problems": ["invalid_link"]},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="confirm-email",
        serializer_class=ConfirmEmailSerializer,
        permission_classes=[permissions.AllowAny],
    )
    def confirm_email(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            confirm(**serializer.validated_data)
        except InvalidLink:
            raise ProblemException("invalid_link") from None
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Have the link sent again",
        description="Mails a link that confirms `new_email`, or `email` if there is none. If "
        "nothing is left to confirm, it is a 409 `nothing_to_confirm`.",
        request=None,
        responses={202: None},
        extensions={"x-problems": ["nothing_to_confirm"]},
    )
    @action(detail=False, methods=["post"], url_path="me/confirm-email")
    def send_link(self, request):
        reject_fields(request.data)
        if not request.user.address_to_confirm:
            raise ProblemException("nothing_to_confirm")
        wait = request_link(request.user, request)
        if wait:
            raise exceptions.Throttled(wait)
        return Response(status=status.HTTP_202_ACCEPTED)


@never_cache
def confirmation_page(request, uid, token):
    """The page of a link. Its button confirms: programs that scan mails follow links, too."""
    outcome = None
    if request.method == "POST":
        try:
            confirm(uid, token)
            outcome = "confirmed"
        except InvalidLink:
            outcome = "invalid"
    context = describe_shop() | {"outcome": outcome}
    status_code = 400 if outcome == "invalid" else 200
    return render(request, "customers/confirm_email.html", context, status=status_code)
