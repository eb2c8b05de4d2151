from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.fields import get_error_detail
from rest_framework.settings import api_settings
from rest_framework.validators import UniqueValidator

from customers.models import EMAIL_TAKEN, USERNAME_TAKEN, Customer, hashing
from shopply.api.fields import CharField, TextField
from shopply.api.serializers import ModelSerializer, Serializer

CUSTOMER_EXAMPLE = {
    "id": 2,
    "username": "lena",
    "email": "lena.vogt@example.com",
    "first_name": "Lena",
    "last_name": "Vogt",
    "contact_number": "+49 40 5550142",
    "street_1": "Elbchaussee 112",
    "street_2": "2. Stock links",
    "city": "Hamburg",
    "state": "",
    "postal_code": "22763",
    "country": "Germany",
}
# The export: what other apps add to it is known here by its name in the OpenAPI document only.
EXPORT_SCHEMA = {
    "title": "Export",
    "type": "object",
    "properties": {
        "account": {"type": "object", "description": "The profile, and what the account may do."},
        "token": {
            "type": ["object", "null"],
            "description": "When your token was `created`, and `expires` if it does.",
        },
        "admin_log": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What you did in the admin, and what was done there to your account.",
        },
        "orders": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Order"},
            "description": "Your orders.",
        },
        "idempotency_keys": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The keys that you sent with orders.",
        },
        "order_staff_notes": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What the shop's staff noted about your orders, for themselves.",
        },
        "order_events": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What you did with others' orders.",
        },
        "bulk_transitions": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The transitions of many orders that you selected in the admin lately.",
        },
        "stock_adjustments": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The adjustments of the stock that you made.",
        },
    },
}

EXPORT_EXAMPLE = {
    "account": CUSTOMER_EXAMPLE
    | {
        "staff_note": "",
        "date_joined": "2026-03-02T09:15:00Z",
        "last_login": None,
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "groups": [],
        "permissions": [],
    },
    "token": {"created": "2026-03-09T10:20:51.138442Z", "expires": None},
    "admin_log": [],
    "orders": [],
    "idempotency_keys": [{"order": 1, "idempotency_key": "2b1f6c0e-6d0f-4c55-a3f1-0a4f6f4f8a37"}],
    "order_staff_notes": [],
    "order_events": [],
    "bulk_transitions": [],
    "stock_adjustments": [],
}


def validate_ascii(address):
    if not address.isascii():
        raise serializers.ValidationError("Must be ASCII, a domain in Punycode.", code="invalid")


class UniqueLoginValidator(UniqueValidator):
    """Rejects a user name or e-mail address with which another customer logs in.

    Accepts what the row has already: earlier releases let a user name be another's address.
    """

    def __call__(self, value, serializer_field):
        customer = serializer_field.parent.instance
        if customer is None or value != getattr(customer, serializer_field.source):
            super().__call__(value, serializer_field)

    def filter_queryset(self, value, queryset, field_name):
        return queryset.with_login(value)


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
            "first_name",
            "last_name",
            "contact_number",
            "street_1",
            "street_2",
            "city",
            "state",
            "postal_code",
            "country",
            "is_staff",
            "date_joined",
        )
        read_only_fields = ("id", "username", "is_staff", "date_joined")
        extra_kwargs = {
            "id": {"help_text": "The id of the customer."},
            "email": {
                "required": True,
                "allow_blank": False,
                "help_text": "ASCII, and unique regardless of case.",
                "validators": [
                    validate_ascii,
                    UniqueLoginValidator(Customer.objects.all(), EMAIL_TAKEN),
                ],
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
            "is_staff": {"help_text": "Whether this is one of the shop's staff."},
            "date_joined": {"help_text": "When the account was created."},
        }

    def to_representation(self, customer):
        """The fields above, spelled out: DRF's way halves the benchmark's "customers, own row"."""
        return {
            "id": customer.pk,
            "username": customer.username,
            "email": customer.email,
            "first_name": customer.first_name,
            "last_name": customer.last_name,
            "contact_number": customer.contact_number,
            **{field: getattr(customer, field) for field in Customer.ADDRESS},
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
        if attrs.get("email", self.instance.email) != self.instance.email and not is_confirmed:
            message = "Needed to change the e-mail address."
            raise serializers.ValidationError({"current_password": message}, code="required")
        return attrs


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
        read_only_fields = ("id", "is_staff", "date_joined")
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
        with hashing.acquire():
            return Customer.objects.create_user(**validated_data)


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
