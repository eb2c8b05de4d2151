"""Base of all list filters: they reject values that Django would ignore."""

from datetime import UTC

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django_filters import rest_framework as filters
from django_filters.fields import BaseCSVField
from drf_spectacular.utils import extend_schema_field

EMPTY_PARAMETER = "Omit it, or give it a value."
MAX_VALUES = 100  # of a parameter that takes several


class RejectEmptyParamsForm(forms.Form):
    """The form of the FilterSets: rejects `?in_stock=`, for which Django would list everything.

    Also rejects an empty one of several values, and more than MAX_VALUES.
    """

    def clean(self):
        for name, field in self.fields.items():
            values = [self.data.get(name)]
            if name in self.data and isinstance(field, BaseCSVField):
                values = self.data[name].split(",")
            if "" in values:
                self.add_error(name, ValidationError(EMPTY_PARAMETER))
            if len(values) > MAX_VALUES:
                message = f"At most {MAX_VALUES} values."
                self.add_error(name, ValidationError(message, "too_many_values"))
        return super().clean()


class FilterSet(filters.FilterSet):
    """Takes several values of a CSV filter with commas, `?id=1,2`, or repeated, `?id=1&id=2`."""

    def __init__(self, data=None, *args, **kwargs):
        if data is not None:
            data = data.copy()
            for name, field_filter in self.base_filters.items():
                if name in data and isinstance(field_filter, filters.BaseCSVFilter):
                    data[name] = ",".join(data.getlist(name))
        super().__init__(data, *args, **kwargs)


class RegexFilter(filters.CharFilter):
    """Accepts a value that matches `pattern`; others are a 400 with `message`.

    `schema` is that of the OpenAPI document; by default a string with this pattern.
    """

    def __init__(self, *args, pattern, message, label, schema=None, **kwargs):
        validator = RegexValidator(pattern.replace("$", r"\Z"), message)  # $ lets a line end follow
        super().__init__(*args, validators=[validator], strip=False, **kwargs)
        schema = schema or {"type": "string", "pattern": pattern}
        extend_schema_field(schema | {"description": label})(self)


class RegexInFilter(filters.BaseInFilter, RegexFilter):
    """Accepts several values, each of which matches `pattern`."""


def validate_within_calendar(moment):
    """Reject times of the years 1 and 9999 that have no date in UTC."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValidationError(
            "Must be a time of the years 1 to 9999, in UTC.", "outside_the_calendar"
        ) from None


class UTCDateTimeFilter(filters.IsoDateTimeFilter):
    def __init__(self, *args, **kwargs):
        invalid = "Must be ISO 8601, such as 2026-05-01T12:00:00Z; write + as %%2B in a query."
        super().__init__(
            *args,
            validators=[validate_within_calendar],
            error_messages={"invalid": invalid},
            **kwargs,
        )

    def filter(self, queryset, moment):
        """Compare in UTC: PostgreSQL has no time zones of 16 hours or more."""
        return super().filter(queryset, moment and moment.astimezone(UTC))
