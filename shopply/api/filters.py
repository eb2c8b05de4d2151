"""What the filters of all lists share: they reject values that Django would ignore."""

from django import forms
from django.core.validators import RegexValidator
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field


class RejectEmptyParamsForm(forms.Form):
    """The form of the FilterSets: Django would list everything for `?in_stock=`."""

    def clean(self):
        for name in self.fields:
            if self.data.get(name) == "":
                self.add_error(name, forms.ValidationError("Leave it out, or give it a value."))
        return super().clean()


class RegexFilter(filters.CharFilter):
    """Takes what `pattern` matches; anything else is a 400 with `message`."""

    def __init__(self, *args, pattern, message, label, **kwargs):
        validator = RegexValidator(pattern.replace("$", r"\Z"), message)  # $ lets a line end follow
        super().__init__(*args, validators=[validator], strip=False, **kwargs)
        extend_schema_field({"type": "string", "pattern": pattern, "description": label})(self)
