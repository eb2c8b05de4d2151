"""Strict serializer fields: each accepts one JSON type, where DRF's own convert from others."""

import re
import unicodedata
from decimal import Decimal
from functools import partial

from django.core.exceptions import ValidationError
from django.db import models
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.validators import UniqueValidator

from shopply.api.money import MAX_PLACES, currency_places, format_money

MONEY_EXAMPLE = format_money(Decimal("11.9"))  # with the places of the currency
MAX_EXPONENT = 20  # of a number: money has fewer digits
# Control and format characters, line and paragraph separators; except the joiners, with which
# Persian, Indic scripts and emoji are written. (Django and DRF reject null characters themselves.)
REJECTED_CATEGORIES = {"Cc", "Cf", "Zl", "Zp"}
EXEMPT_CHARACTERS = "\u200c\u200d\0"


def validate_line(text):
    """Reject line breaks, and characters that cannot be seen or turn the direction of writing.

    For texts of one line, over which labels, mails and CSV would trip. Raises Django's
    ValidationError.
    """
    for character in text:
        category = unicodedata.category(character)
        if category in REJECTED_CATEGORIES and character not in EXEMPT_CHARACTERS:
            raise ValidationError(
                "Must be one line, without control and format characters: "
                f"U+{ord(character):04X} is one.",
                "control_characters_not_allowed",
            )


class StrictTextMixin:
    """Accepts a JSON string only; DRF's own fields turn 1e2 into `"100.0"`."""

    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid")
        # Before it is stripped: the OpenAPI document limits what is sent.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class LineMixin(StrictTextMixin):
    """Accepts one line only (`validate_line`), or the value that the row has already."""

    def run_validation(self, data=empty):
        instance = getattr(self.parent, "instance", None)
        is_unchanged = instance is not None and data == getattr(instance, self.source, None)
        if isinstance(data, str) and not is_unchanged:
            validate_line(data)  # before it is stripped, too
        return super().run_validation(data)


class CharField(LineMixin, serializers.CharField):
    """One line: a name, a city, a note."""


class TextField(StrictTextMixin, serializers.CharField):
    """Any characters but null: a description of many lines, a password."""


class EmailField(LineMixin, serializers.EmailField):
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

    default_error_messages = {"invalid": f'Must be a decimal such as "{MONEY_EXAMPLE}".'}

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
    models.TextField: TextField,
}


# Rejects a text that another row of the queryset has, regardless of case.
CaseInsensitiveUniqueValidator = partial(UniqueValidator, lookup="iexact")
