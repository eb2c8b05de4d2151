"""Strict serializer fields: each accepts one JSON type, where DRF's own convert from others."""

import re
from functools import partial

from django.db import models
from rest_framework import serializers
from rest_framework.validators import UniqueValidator


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
    """Accepts a decimal string with up to two places; DRF's own field also 0.1 and `"1_0"`."""

    default_error_messages = {"invalid": 'Must be a string such as "11.90".'}

    def to_internal_value(self, data):
        if not isinstance(data, str) or not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", data):
            self.fail("invalid")
        if data.startswith("-"):
            self.fail("min_value", min_value=0)
        return super().to_internal_value(data)


def money_pattern(field):
    """Return the OpenAPI pattern of a decimal field of a model or a serializer."""
    whole = field.max_digits - field.decimal_places
    return rf"^(0|[1-9][0-9]{{0,{whole - 1}}})(\.[0-9]{{1,{field.decimal_places}}})?$"


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
