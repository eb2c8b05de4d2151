"""Texts of a sheet as values of a product. Each widget raises ValueError with the reason."""

import re
from decimal import Decimal

from django.utils.text import normalize_newlines
from import_export.widgets import Widget

from products.models import ADJUSTMENT_REASONS, Reason
from shopply.api.money import currency_places, format_money, parse_amount

YES_AND_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
REASONS = [value for value, _ in ADJUSTMENT_REASONS]


class TextWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        return normalize_newlines(value)


class PriceWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        try:
            amount = parse_amount(value)
        except ValueError:
            amount = None
        if amount is None or -amount.as_tuple().exponent > currency_places():
            example = format_money(Decimal("12.5"))
            raise ValueError(f"Must be a price like {example}, without separators of thousands.")
        return amount


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


class SlugsWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        return sorted({*re.split(r"[\s,]+", value.lower())} - {""})


class ReasonWidget(Widget):
    def clean(self, value, row=None, **kwargs):
        if value.lower() == Reason.RETURNED:
            raise ValueError("Book what came back on the page of its order.")
        if value.lower() not in REASONS:
            raise ValueError(f"Must be one of {', '.join(REASONS)}.")
        return value.lower()
