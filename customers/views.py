from django.conf import settings
from django.utils.module_loading import import_string
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, permissions, status, viewsets
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.settings import api_settings

from customers.models import AccountClosed, Customer
from customers.serializers import (
    CustomerSerializer,
    PasswordSerializer,
    RegistrationSerializer,
    TokenSerializer,
)


@extend_schema(tags=["tokens"])
class ObtainToken(ObtainAuthToken):
    authentication_classes = ()
    parser_classes = api_settings.DEFAULT_PARSER_CLASSES
    serializer_class = TokenSerializer

    @extend_schema(
        summary="Obtain your token",
        description="Answers with the token of the account, the same each time. Send it with every "
        "request: `Authorization: Token <TOKEN>`. A wrong name or password is a 400.",
        responses={200: TokenSerializer},
    )
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


@extend_schema(tags=["customers"])
@extend_schema_view(
    list=extend_schema(
        summary="List customers",
        description="A bare array. Staff get everyone, in pages told by the `Link` header; a "
        "customer gets one row, their own; without a log-in the array is empty.",
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
        description="Yourself, or anyone if you are staff. Anybody else is not found.",
    ),
    create=extend_schema(
        summary="Register",
        description="Opens an account; no log-in is needed. User name and e-mail address must be "
        "new, whatever the case of their letters. The address fields may be left out; orders go "
        "to this address unless they name another. Next: obtain a token.",
        responses={201: CustomerSerializer},
    ),
)
class CustomerViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    viewsets.GenericViewSet,
):
    queryset = Customer.objects.order_by("id")
    serializer_class = CustomerSerializer
    pagination_class = import_string(settings.LINK_PAGINATION_CLASS)
    lookup_value_converter = "int"

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def get_permissions(self):
        if self.action in ("list", "create"):
            return [permissions.AllowAny()]
        return super().get_permissions()

    def get_serializer_class(self):
        return RegistrationSerializer if self.action == "create" else self.serializer_class

    @extend_schema(summary="Get yourself", description="The account you are logged in with.")
    @action(detail=False)
    def me(self, request):
        return Response(self.get_serializer(request.user).data)

    @extend_schema(
        summary="Change your profile",
        description="Send only what changes. The user name stays; the password has its own "
        "address. Orders already placed keep the address they were placed with.",
    )
    @me.mapping.patch
    def update_me(self, request):
        form = self.get_serializer(request.user, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        try:
            form.save()
        except AccountClosed:
            raise exceptions.AuthenticationFailed("The account is closed.") from None
        return Response(form.data)

    @extend_schema(
        summary="Close your account",
        description="Erases your name, contact and address, and shuts the account: its token and "
        "password stop working at once. There is no way back. Orders stay, as records.",
        responses={204: None},
    )
    @me.mapping.delete
    def close_me(self, request):
        request.user.close()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Change your password",
        description="Needs the current one.",
        responses={204: None},
    )
    @action(
        detail=False, methods=["post"], url_path="me/password", serializer_class=PasswordSerializer
    )
    def password(self, request):
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        request.user.change_password(form.validated_data["new_password"])
        return Response(status=status.HTTP_204_NO_CONTENT)
