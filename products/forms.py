"""Form fields and forms of the admin of products."""

import re
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError

from products.models import MAX_STOCK

WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)


class WholeNumberField(forms.IntegerField):
    """Refuses separators: a number input drops the comma of 1,5, and Django reads 1.000 as 1."""

    widget = forms.TextInput(attrs={"class": "vIntegerField"})
    default_error_messages = {
        "invalid": "Enter a whole number, without separators between thousands."
    }

    def to_python(self, value):
        if isinstance(value, str) and value.strip() and not WHOLE_NUMBER.fullmatch(value.strip()):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class KeyField(forms.CharField):
    """A random key of the form that the page shows: sent again, it books nothing again."""

    widget = forms.HiddenInput

    def __init__(self):
        super().__init__(required=False, max_length=64, initial=uuid4)

    def has_changed(self, initial, data):
        return False  # otherwise a row that nobody filled in would be one to save


class AdjustmentForm(forms.ModelForm):
    key = KeyField()

    def clean(self):
        """Refuse what the stock does not allow. The admin has locked the product."""
        cleaned_data = super().clean()
        delta, product = self.cleaned_data.get("delta", 0), self.instance.product
        if abs(delta) <= MAX_STOCK and not product.can_adjust(delta):
            message = f"There are only {product.quantity_in_stock} in stock."
            if delta > 0:
                message = f"The stock would be over {MAX_STOCK:,}."
            self.add_error("delta", message)
        return cleaned_data
