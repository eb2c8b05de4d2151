"""Texts of a sheet as values of a product. Each widget raises ValueError with the reason."""

import re
from decimal import Decimal

from django.utils.text import normalize_newlines
from import_export.widgets import Widget

from products.models import ADJUSTMENT_REASONS
from shopply.api.money import currency_places, format_money

YES_AND_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
REASONS = [value for value, _ in ADJUSTMENT_REASONS]


class TextWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        return normalize_newlines(value)


class PriceWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        # A comma can divide one or two decimals only: 1,250 might be 1250.
        value = re.sub(r",([0-9]{1,2})\Z", r".\1", value)
        places = currency_places()
        if not re.fullmatch(rf"-?[0-9]+(\.[0-9]{{1,{places}}})?" if places else "-?[0-9]+", value):
            example = format_money(Decimal("12.5"))
            raise ValueError(f"Must be a price like {example}, without separators of thousands.")
        return Decimal(value)


class IntegerWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        if not re.fullmatch("[+-]?[0-9]{1,15}", value):
            raise ValueError("Must be a whole number, without separators of thousands.")
        return int(value)


class YesNoWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        if value.lower() not in YES_AND_NO:
            raise ValueError("Must be 1 (yes) or 0 (no).")
        return YES_AND_NO[value.lower()]


class ReasonWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        if value.lower() not in REASONS:
            raise ValueError(f"Must be one of {', '.join(REASONS)}.")
        return value.lower()
