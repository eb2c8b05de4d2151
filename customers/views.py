from django.contrib.auth import authenticate
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import exceptions, mixins, permissions, status, views, viewsets
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.settings import api_settings

from customers.authentication import BasicAuthentication
from customers.email_confirmation import EmailConfirmationActions
from customers.export_schema import EXPORT_EXAMPLE, EXPORT_SCHEMA
from customers.filters import CustomerFilter, CustomerSearchFilter
from customers.models import AccountClosed, Customer, LastSuperuser
from customers.pagination import LinkHeaderPagination
from customers.privacy import export_response
from customers.problems import map_busy, map_login_errors
from customers.serializers import (
    CurrentPasswordSerializer,
    CustomerCreateSerializer,
    CustomerSerializer,
    PasswordSerializer,
    ProfileSerializer,
    TokenSerializer,
)
from customers.tokens import AccessToken, StaleLogin
from shopply.api.exceptions import ProblemException
from shopply.api.parsers import FormParser, MultiPartParser
from shopply.api.permissions import is_allowed
from shopply.api.query_params import CheckRequestMixin
from shopply.api.serializers import reject_fields


@extend_schema(tags=["tokens"])
class ObtainToken(CheckRequestMixin, ObtainAuthToken):
    authentication_classes = ()
    throttle_classes = api_settings.DEFAULT_THROTTLE_CLASSES
    parser_classes = (*api_settings.DEFAULT_PARSER_CLASSES, FormParser, MultiPartParser)
    serializer_class = TokenSerializer

    @extend_schema(
        summary="Obtain your token",
        description="Returns the token of the account, the same one each time until it expires or "
        "is revoked. Send it with every request: `Authorization: Token <TOKEN>`. The body may be a "
        "form, too. A wrong user name, e-mail address or password is a 400 `wrong_credentials`; "
        "after too many, passwords are rejected for a while.",
        # Clients by openapi-python-client fail on three media types of one model.
        request={"application/json": TokenSerializer},
        responses={200: TokenSerializer},
        extensions={"x-problems": ["wrong_credentials", "too_many_failures"]},
    )
    def post(self, request, *args, **kwargs):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with map_login_errors():
            customer = authenticate(request, **serializer.validated_data)
        if customer is None:
            raise ProblemException("wrong_credentials")
        try:
            token = AccessToken.issue(customer)
        except StaleLogin:
            raise ProblemException("wrong_credentials", "The password was just changed.") from None
        return Response({"token": token.key, "expires": token.expires})


@extend_schema(tags=["tokens"])
class RevokeToken(CheckRequestMixin, views.APIView):
    @extend_schema(
        summary="Revoke your token",
        description="Logs out everywhere: the token of your account stops working at once, and "
        "`POST /api/obtain-token/` creates a new one. Use it if a token may have leaked. "
        "Changing the password does the same.",
        request=None,
        responses={204: None},
    )
    def post(self, request):
        reject_fields(request.data)
        AccessToken.revoke(request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["customers"])
@extend_schema_view(
    list=extend_schema(
        summary="List customers",
        description="A bare array. Staff get everyone, in pages with a `Link` header; a customer "
        "gets their own row; without a log-in the array is empty. Filters select from these rows.",
        parameters=[
            OpenApiParameter(
                "Link",
                str,
                OpenApiParameter.HEADER,
                response=[200],
                description="Addresses of the `first`, `prev`, `next` and `last` page (RFC 8288).",
            )
        ],
    ),
    retrieve=extend_schema(
        summary="Get a customer",
        description="Yourself, or anyone if you are staff. Others are not found.",
    ),
    create=extend_schema(
        summary="Register",
        description="Creates an account; no log-in is needed. The user name must be unique, and "
        "the e-mail address must not be one that another account confirmed, regardless of case. A "
        "mail with a link confirms it. The address fields are optional; orders go to this address "
        "unless they have another. Next: obtain a token.",
        responses={201: CustomerSerializer},
    ),
)
class CustomerViewSet(
    EmailConfirmationActions,
    CheckRequestMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    viewsets.GenericViewSet,
):
    queryset = Customer.objects.order_by("id")
    serializer_class = CustomerSerializer
    filter_backends = (DjangoFilterBackend, CustomerSearchFilter)
    filterset_class = CustomerFilter
    search_fields = ("username", "first_name", "last_name", "email")
    pagination_class = LinkHeaderPagination
    lookup_value_converter = "int"

    @property
    def throttle_scope(self):
        if self.action in ("create", "password", "close", "delete_me", "export", "send_link"):
            return "account"
        # Limited like registering, since both show whether an address is taken.
        if self.action == "update_me" and isinstance(self.request.data, dict):
            return "account" if "email" in self.request.data else None
        return None

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def list(self, request):
        if is_allowed(request.user, "customers.view_customer") or request.query_params:
            return super().list(request)
        # Authentication has read the only row.
        page = self.paginate_queryset([request.user] if request.user.is_authenticated else [])
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def filter_queryset(self, customers):
        return super().filter_queryset(customers) if self.action == "list" else customers

    def get_permissions(self):
        if self.action in ("list", "create", "metadata"):  # the last one is OPTIONS
            return [permissions.AllowAny()]
        return super().get_permissions()

    def get_success_headers(self, data):
        return {"Location": self.reverse_action("detail", args=[data["id"]])}

    def perform_create(self, serializer):
        with map_login_errors():
            serializer.save()

    def get_serializer_class(self):
        serializers = {"create": CustomerCreateSerializer, "update_me": ProfileSerializer}
        return serializers.get(self.action, self.serializer_class)

    @extend_schema(summary="Get yourself", description="The account you are logged in with.")
    @action(detail=False)
    def me(self, request):
        return Response(self.get_serializer(request.user).data)

    @extend_schema(
        summary="Change your profile",
        description="Send the fields to change. The user name cannot change; the password has an "
        "endpoint of its own, and a new e-mail address needs `current_password`. If the present "
        "one is confirmed, the new one is `new_email` until the link mailed to it is opened. "
        "Existing orders keep their address.",
        request=ProfileSerializer,
        responses={200: CustomerSerializer},
    )
    @me.mapping.patch
    def update_me(self, request):
        serializer = self.get_serializer(request.user, data=request.data, partial=True)
        with map_login_errors():
            serializer.is_valid(raise_exception=True)
        try:
            serializer.save()
        except AccountClosed:
            raise exceptions.AuthenticationFailed("The account is closed.") from None
        return Response(serializer.data)

    @extend_schema(
        summary="Close your account, logged in with Basic",
        description="Does the same as `POST /api/customers/me/close/`: Basic proves the password. "
        "With a token it is a 403.",
        responses={204: None},
        extensions={"x-problems": ["last_superuser", "permission_denied"]},
    )
    @me.mapping.delete
    def delete_me(self, request):
        if not isinstance(request.successful_authenticator, BasicAuthentication):
            raise exceptions.PermissionDenied(
                "With a token, POST your current_password to /api/customers/me/close/."
            )
        return self.close_account(request)

    @extend_schema(
        summary="Close your account",
        description="Erases your name, contact number and address, and closes the account: its "
        "token and password stop working at once. It cannot be undone. Orders stay as records, "
        "without your name and address; orders in progress lose them when they are delivered or "
        "cancelled. To keep a copy, `GET /api/customers/me/export/` first.",
        responses={204: None},
        extensions={"x-problems": ["last_superuser"]},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="me/close",
        serializer_class=CurrentPasswordSerializer,
    )
    def close(self, request):
        serializer = self.get_serializer(data=request.data)
        with map_login_errors():
            serializer.is_valid(raise_exception=True)
        return self.close_account(request)

    def close_account(self, request):
        try:
            request.user.close()
        except LastSuperuser:
            raise ProblemException(
                "last_superuser", "Make another account a superuser first."
            ) from None
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Change your password",
        description="Needs the current password. Your token is revoked: obtain a new one.",
        responses={204: None},
    )
    @action(
        detail=False, methods=["post"], url_path="me/password", serializer_class=PasswordSerializer
    )
    def password(self, request):
        serializer = self.get_serializer(data=request.data)
        try:
            with map_login_errors():
                serializer.is_valid(raise_exception=True)
                request.user.change_password(serializer.validated_data["new_password"])
        except AccountClosed:
            raise exceptions.AuthenticationFailed("The account is closed.") from None
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Export your data",
        description="Everything the shop holds about you, in one response: the account with its "
        "address, when your token was created, and your orders with their items and events; for "
        "staff, also their stock adjustments and the transitions they made.",
        responses={200: EXPORT_SCHEMA},
        examples=[OpenApiExample("Everything", EXPORT_EXAMPLE, response_only=True)],
    )
    @action(detail=False, url_path="me/export")
    def export(self, request):
        with map_busy():
            return export_response(request.user)
