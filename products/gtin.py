"""Global Trade Item Numbers: what a barcode says (GS1 General Specifications)."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

GTIN = r"\A([0-9]{8}|[0-9]{12,14})\Z"  # EAN-8, UPC-A, EAN-13, GTIN-14
GTIN_PATTERN = GTIN.replace(r"\A", "^").replace(r"\Z", "$")  # as OpenAPI writes it
WEIGHTS = [1, 3] * 7  # of the digits from the right, the first of which is the check digit

validate_digits = RegexValidator(GTIN, "Must be 8, 12, 13 or 14 digits.")


def validate_check_digit(gtin):
    """Reject a number in which a digit was mistyped, or two that follow each other were swapped.

    It leaves other texts to `validate_digits`. Raises Django's ValidationError.
    """
    if re.fullmatch(GTIN, gtin):
        digits = map(int, reversed(gtin))
        if sum(digit * weight for digit, weight in zip(digits, WEIGHTS, strict=False)) % 10:
            raise ValidationError("Must have the right check digit, its last.", "check_digit")


def normalize_gtin(gtin):
    """Return the number by which GTINs are compared: leading zeros do not matter."""
    return int(gtin)
