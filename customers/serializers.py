from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.fields import get_error_detail
from rest_framework.settings import api_settings
from rest_framework.validators import UniqueValidator

from customers.email_links import request_link
from customers.models import EMAIL_TAKEN, USERNAME_TAKEN, Customer, hashing
from shopply.api.fields import CharField, TextField
from shopply.api.serializers import ModelSerializer, Serializer

CUSTOMER_EXAMPLE = {
    "id": 2,
    "username": "lena",
    "email": "lena.vogt@example.com",
    "email_confirmed": True,
    "new_email": None,
    "first_name": "Lena",
    "last_name": "Vogt",
    "contact_number": "+49 40 5550142",
    "street_1": "Elbchaussee 112",
    "street_2": "2. Stock links",
    "city": "Hamburg",
    "state": "",
    "postal_code": "22763",
    "country": "Germany",
    "order_mails": True,
}


def validate_ascii(address):
    if not address.isascii():
        raise serializers.ValidationError("Must be ASCII, a domain in Punycode.", code="invalid")


class UniqueLoginValidator(UniqueValidator):
    """Rejects a user name that is the user name or the e-mail address of another customer.

    Accepts what the row has already: earlier releases let a user name be another's address.
    """

    def __call__(self, value, serializer_field):
        customer = serializer_field.parent.instance
        if customer is None or value != getattr(customer, serializer_field.source):
            super().__call__(value, serializer_field)

    def filter_queryset(self, value, queryset, field_name):
        return queryset.with_login(value)


class UniqueEmailValidator(UniqueLoginValidator):
    """Rejects an e-mail address that another customer confirmed."""

    def filter_queryset(self, value, queryset, field_name):
        return queryset.with_confirmed_email(value)


def check_strength(field, password, customer):
    """Raise what AUTH_PASSWORD_VALIDATORS find, as a ValidationError of `field`."""
    try:
        validate_password(password, customer)
    except ValidationError as exc:
        raise serializers.ValidationError({field: get_error_detail(exc)}) from None


class NewPasswordField(TextField):
    """A new password; `check_strength` also checks its minimum length."""

    openapi = {"minLength": 10}

    def __init__(self):
        super().__init__(
            write_only=True,
            max_length=256,
            trim_whitespace=False,
            help_text="10 characters or more; not a common password, not all digits, "
            "not similar to your name.",
        )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Your password", {"current_password": "harbour-lane-lena"}, request_only=True
        ),
    ]
)
class CurrentPasswordSerializer(Serializer):
    """For actions for which a token is not enough. Raises LoginThrottled, Busy."""

    current_password = TextField(
        write_only=True,
        max_length=256,
        trim_whitespace=False,
        help_text="The password of your account.",
    )

    def validate_current_password(self, password):
        request = self.context["request"]
        # Counted as a log-in: otherwise a thief of the token could guess passwords here.
        name, has_token = request.user.username, request.auth is not None
        if not authenticate(request, username=name, password=password, has_token=has_token):
            raise serializers.ValidationError("This is not your password.", code="wrong")
        return password


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A customer",
            CUSTOMER_EXAMPLE | {"is_staff": False, "date_joined": "2026-03-02T09:15:00Z"},
            response_only=True,
        ),
    ]
)
class CustomerSerializer(ModelSerializer):
    class Meta:
        model = Customer
        fields = (
            "id",
            "username",
            "email",
            "email_confirmed",
            "new_email",
            "first_name",
            "last_name",
            "contact_number",
            "street_1",
            "street_2",
            "city",
            "state",
            "postal_code",
            "country",
            "order_mails",
            "is_staff",
            "date_joined",
        )
        read_only_fields = (
            *("id", "username", "email_confirmed", "new_email", "is_staff", "date_joined"),
        )
        extra_kwargs = {
            "id": {"help_text": "The id of the customer."},
            "email": {
                "required": True,
                "allow_blank": False,
                "help_text": "ASCII. None that another account confirmed, in any case.",
                "validators": [
                    validate_ascii,
                    UniqueEmailValidator(Customer.objects.all(), EMAIL_TAKEN),
                ],
            },
            "email_confirmed": {
                "help_text": "Whether the customer opened the link that was mailed to `email`."
            },
            "new_email": {
                "allow_null": True,
                "help_text": "Becomes `email` when the customer opens the link that was mailed to "
                "it. Null if no change is under way.",
            },
            "first_name": {"help_text": "Given name."},
            "last_name": {"help_text": "Family name."},
            "contact_number": {"help_text": "A telephone number, for questions about a parcel."},
            "street_1": {"help_text": "Street and house number."},
            "street_2": {"help_text": "A second line, such as a floor."},
            "city": {"help_text": "City or town."},
            "state": {"help_text": "State or region, where an address has one."},
            "postal_code": {"help_text": "Postal code or ZIP code."},
            "country": {"help_text": "The name of the country."},
            "order_mails": {"help_text": "Whether the shop sends mails about your orders."},
            "is_staff": {"help_text": "Whether this is one of the shop's staff."},
            "date_joined": {"help_text": "When the account was created."},
        }

    def to_representation(self, customer):
        """The fields above, spelled out: DRF's way halves the benchmark's "customers, own row"."""
        return {
            "id": customer.pk,
            "username": customer.username,
            "email": customer.email,
            "email_confirmed": customer.email_confirmed,
            "new_email": customer.new_email or None,
            "first_name": customer.first_name,
            "last_name": customer.last_name,
            "contact_number": customer.contact_number,
            **{field: getattr(customer, field) for field in Customer.ADDRESS},
            "order_mails": customer.order_mails,
            "is_staff": customer.is_staff,
            "date_joined": customer.date_joined,
        }

    def update(self, customer, validated_data):
        customer.update_fields(**validated_data)
        return customer


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A new address",
            {"street_1": "Große Bergstraße 7", "street_2": "", "postal_code": "22767"},
            request_only=True,
        ),
        OpenApiExample(
            "A new e-mail address",
            {"email": "lena@example.org", "current_password": "harbour-lane-lena"},
            request_only=True,
        ),
    ]
)
class ProfileSerializer(CurrentPasswordSerializer, CustomerSerializer):
    """A customer's own profile. A new e-mail address needs the password, not just a token."""

    current_password = TextField(
        write_only=True,
        required=False,
        max_length=256,
        trim_whitespace=False,
        help_text="Needed to change the e-mail address.",
    )

    class Meta(CustomerSerializer.Meta):
        fields = (*CustomerSerializer.Meta.fields, "current_password")

    def validate(self, attrs):
        is_confirmed = attrs.pop("current_password", None) is not None
        if attrs.get("email") == self.instance.email:
            del attrs["email"]
        if "email" in attrs and not is_confirmed:
            message = "Needed to change the e-mail address."
            raise serializers.ValidationError({"current_password": message}, code="required")
        return attrs

    def update(self, customer, validated_data):
        if "email" not in validated_data:
            return super().update(customer, validated_data)
        email = validated_data.pop("email")
        with transaction.atomic():
            super().update(customer, validated_data)
            customer.change_email(email)
            request_link(customer, self.context["request"])
        return customer


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A new customer",
            {
                "username": "mira",
                "password": "correct-horse-battery",
                "email": "mira.lindqvist@example.com",
                "first_name": "Mira",
                "last_name": "Lindqvist",
                "street_1": "Södra Larmgatan 14",
                "city": "Göteborg",
                "postal_code": "411 16",
                "country": "Sweden",
            },
            request_only=True,
        ),
    ]
)
class CustomerCreateSerializer(CustomerSerializer):
    password = NewPasswordField()

    class Meta(CustomerSerializer.Meta):
        fields = (*CustomerSerializer.Meta.fields, "password")
        read_only_fields = ("id", "email_confirmed", "new_email", "is_staff", "date_joined")
        extra_kwargs = {
            **CustomerSerializer.Meta.extra_kwargs,
            "username": {
                "trim_whitespace": False,
                "validators": [
                    *Customer.username.field.validators,
                    UniqueLoginValidator(Customer.objects.all(), USERNAME_TAKEN),
                ],
            },
        }

    def to_internal_value(self, data):
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as exc:
            valid = {field.field_name for field in self._writable_fields} - exc.detail.keys()
            if "password" not in valid or api_settings.NON_FIELD_ERRORS_KEY in exc.detail:
                raise
            # Otherwise its errors would only show once the other fields are valid.
            try:
                self.validate({field: data[field] for field in valid & data.keys()})
            except serializers.ValidationError as more:
                raise serializers.ValidationError(exc.detail | more.detail) from None
            raise

    def validate(self, attrs):
        profile = {field: value for field, value in attrs.items() if field != "password"}
        check_strength("password", attrs["password"], Customer(**profile))
        return attrs

    def create(self, validated_data):
        password = validated_data.pop("password")
        customer = Customer(**validated_data)
        customer.clean()
        with hashing.acquire():
            customer.set_password(password)
        with transaction.atomic():
            customer.save()
            request_link(customer, self.context["request"])
        return customer


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A new password",
            {"current_password": "harbour-lane-lena", "new_password": "correct-horse-battery"},
            request_only=True,
        ),
    ]
)
class PasswordSerializer(CurrentPasswordSerializer):
    new_password = NewPasswordField()

    def validate(self, attrs):
        check_strength("new_password", attrs["new_password"], self.context["request"].user)
        return attrs


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Log in", {"username": "lena", "password": "harbour-lane-lena"}, request_only=True
        ),
        OpenApiExample(
            "Your token",
            {"token": "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b", "expires": None},
            response_only=True,
        ),
    ]
)
class TokenSerializer(Serializer):
    """A log-in, and the token that it returns."""

    username = CharField(
        write_only=True,
        max_length=Customer.email.field.max_length,
        help_text="Your user name or e-mail address, in any case.",
    )
    password = TextField(
        write_only=True, trim_whitespace=False, help_text="The password of your account."
    )
    token = serializers.CharField(
        read_only=True, help_text="Send it with each request: `Authorization: Token <TOKEN>`."
    )
    expires = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Null if the token does not expire."
    )
