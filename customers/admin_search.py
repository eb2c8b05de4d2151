"""The search of the admin's list of customers."""

import re
from functools import reduce

from django.db.models import Value
from django.db.models.functions import Replace

PHONE = re.compile(r"[0-9\s()+/.-]{6,}", re.ASCII)
SEPARATORS = " ()+/.-"


class CustomerSearchMixin:
    search_fields = ("username", "first_name", "last_name", "email", "city", "contact_number")
    search_help_text = "User name, name, e-mail, city or contact number"

    def get_search_results(self, request, customers, text):
        """Find a contact number however it is written, too."""
        matches, has_duplicates = super().get_search_results(request, customers, text)
        digits = re.sub("[^0-9]", "", text).lstrip("0")
        if digits and PHONE.fullmatch(text.strip()):
            written = reduce(
                lambda number, sign: Replace(number, Value(sign)), SEPARATORS, "contact_number"
            )
            matches |= customers.alias(digits=written).filter(digits__contains=digits)
        return matches, has_duplicates
