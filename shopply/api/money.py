"""Money in the shop's currency, with as many decimal places as ISO 4217 gives it."""

import re
from decimal import Decimal

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from iso4217 import Currency

MAX_PLACES = 3  # of the columns: enough for each currency but two units of account
PLACES = {
    currency.code: currency.exponent
    for currency in Currency
    if currency.exponent is not None and currency.exponent <= MAX_PLACES
}


def currency_places():
    """Return the number of decimal places of SHOP_CURRENCY."""
    return PLACES[settings.SHOP_CURRENCY]


def format_money(amount):
    """Return a Decimal as a string with the places of the currency, such as "11.90"."""
    return f"{amount:.{currency_places()}f}"


# With three digits after a comma, it may separate thousands.
AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+|,[0-9]{1,2})?", re.ASCII)


def parse_amount(text):
    """Return the Decimal of 12.50 or 12,50. Raises ValueError, for separators of thousands too."""
    if not AMOUNT.fullmatch(text):
        raise ValueError("Not an amount.")
    return Decimal(text.replace(",", "."))


class MoneyFormField(forms.DecimalField):
    """Takes 12.50 and 12,50, and refuses separators between thousands.

    A text input, since a browser's number input drops the comma, and sends 1250.
    """

    widget = forms.TextInput(attrs={"inputmode": "decimal"})
    default_error_messages = {
        "invalid": "Enter an amount such as 12.50, without separators between thousands."
    }

    def to_python(self, value):
        if isinstance(value, str) and value.strip():
            try:
                value = parse_amount(value.strip())
            except ValueError:
                raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        return super().to_python(value)


class MoneyField(models.DecimalField):
    """A column with MAX_PLACES; forms and values have the places of the currency."""

    def __init__(self, *args, whole_digits, **kwargs):
        self.whole_digits = whole_digits
        kwargs |= {"max_digits": whole_digits + MAX_PLACES, "decimal_places": MAX_PLACES}
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs | {"whole_digits": self.whole_digits}

    def from_db_value(self, value, expression, connection):
        return None if value is None else value.quantize(Decimal(1).scaleb(-currency_places()))

    def formfield(self, **kwargs):
        places = currency_places()
        digits = {"max_digits": self.whole_digits + places, "decimal_places": places}
        return super().formfield(**{"form_class": MoneyFormField} | kwargs | digits)
