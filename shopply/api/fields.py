"""Strict serializer fields: each accepts one JSON type, where DRF's own convert from others."""

import re
from decimal import Decimal
from functools import partial

from django.db import models
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from shopply.api.money import MAX_PLACES, currency_places

MAX_EXPONENT = 20  # of a number: money has fewer digits


class StrictTextMixin:
    """Accepts a JSON string only; DRF's own fields turn 1e2 into `"100.0"`."""

    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid")
        # Before it is stripped: the OpenAPI document limits what is sent.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class CharField(StrictTextMixin, serializers.CharField):
    pass


class EmailField(StrictTextMixin, serializers.EmailField):
    pass


class JSONIntegerField(serializers.IntegerField):
    """Accepts a JSON integer only; DRF's own also `"5"`, `5.0` and digits of other scripts."""

    def to_internal_value(self, data):
        if type(data) is not int:  # a bool is an int to isinstance
            self.fail("invalid")
        return data


class JSONBooleanField(serializers.BooleanField):
    """Accepts true or false only; DRF's own field also `"yes"`, `"off"` and 1."""

    def to_internal_value(self, data):
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class MoneyField(serializers.DecimalField):
    """Accepts a decimal string or a JSON number, never a float; DRF's own field also `"1_0"`."""

    default_error_messages = {"invalid": 'Must be a decimal such as "11.90".'}

    def __init__(self, *, max_digits, decimal_places=MAX_PLACES, **kwargs):
        """Take the digits of the column, of which the currency may use fewer."""
        places = currency_places()
        max_digits += places - decimal_places
        super().__init__(max_digits=max_digits, decimal_places=places, **kwargs)

    def to_internal_value(self, data):
        if type(data) in (int, Decimal):  # not a bool
            is_short = abs(Decimal(data).adjusted()) <= MAX_EXPONENT
            number = Decimal(data).normalize() if is_short else None  # 11.900 is 11.9
            if number != data:  # beyond 28 digits it was rounded
                self.fail("max_digits", max_digits=self.max_digits)
            data = format(number, "f")
        if not isinstance(data, str) or not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", data):
            self.fail("invalid")
        if data.startswith("-"):
            self.fail("min_value", min_value=0)
        return super().to_internal_value(data)


def money_pattern(field):
    """Return the OpenAPI pattern of a MoneyField."""
    whole = field.max_digits - field.decimal_places
    fraction = rf"(\.[0-9]{{1,{field.decimal_places}}})?" if field.decimal_places else ""
    return f"^(0|[1-9][0-9]{{0,{whole - 1}}}){fraction}$"


# The `serializer_field_mapping` of the shop's model serializers.
STRICT_FIELD_MAPPING = serializers.ModelSerializer.serializer_field_mapping | {
    models.BooleanField: JSONBooleanField,
    models.CharField: CharField,
    models.DecimalField: MoneyField,
    models.EmailField: EmailField,
    models.TextField: CharField,
}


# Rejects a text that another row of the queryset has, regardless of case.
CaseInsensitiveUniqueValidator = partial(UniqueValidator, lookup="iexact")
