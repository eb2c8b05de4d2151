"""Base of all list filters: they reject values that Django would ignore."""

from django import forms
from django.core.validators import RegexValidator
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

EMPTY_PARAMETER = "Omit it, or give it a value."


class RejectEmptyParamsForm(forms.Form):
    """The form of the FilterSets: rejects `?in_stock=`, for which Django would list everything."""

    def clean(self):
        for name in self.fields:
            if self.data.get(name) == "":
                self.add_error(name, forms.ValidationError(EMPTY_PARAMETER))
        return super().clean()


class RegexFilter(filters.CharFilter):
    """Accepts a value that matches `pattern`; others are a 400 with `message`."""

    def __init__(self, *args, pattern, message, label, **kwargs):
        validator = RegexValidator(pattern.replace("$", r"\Z"), message)  # $ lets a line end follow
        super().__init__(*args, validators=[validator], strip=False, **kwargs)
        extend_schema_field({"type": "string", "pattern": pattern, "description": label})(self)
