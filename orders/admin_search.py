"""The search of the admin's list of orders."""

from datetime import datetime, timedelta

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.utils.timezone import make_aware

from orders.search_terms import MAX_TERMS, TooManyTerms

CUT_SHORT = (
    "More orders match the search. Only the newest of them are listed, selected and exported: add a"
    " word, or narrow the list by a filter."
)


def is_selection_cut_short(request):
    """Return whether the user selected all orders of a list that does not have all."""
    is_all_selected = request.POST.get("select_across") == "1"
    return is_all_selected and hasattr(request, "is_cut_short")


class OrderSearchMixin:
    search_fields = ("id",)  # shows the search box; `OrderQuerySet.search` says what it finds
    search_help_text = (
        "Number, reference or tracking number; customer's name, user name or e-mail; recipient, "
        "address or phone number; product or SKU"
    )

    def get_search_results(self, request, orders, text):
        period = get_period(request.GET)
        if period:  # an index finds a period, but not the parts of a date
            orders = orders.filter(created__gte=period[0], created__lt=period[1])
        if not text.strip():
            return orders, False
        is_by_date = any(name.startswith("created__") for name in request.GET)
        try:
            orders, is_all = orders.search(text, newest="-created" if is_by_date else "-pk")
        except TooManyTerms as exc:
            raise BadRequest(f"Search for at most {MAX_TERMS} words.") from exc
        if not is_all and not hasattr(request, "is_cut_short"):
            request.is_cut_short = True  # the counts of filters search again
            if request.method == "GET":
                self.message_user(request, CUT_SHORT, messages.WARNING)
        return orders.select_related(*self.list_select_related), False


def get_period(params):
    """Return the first moment of a year, month or day of the date hierarchy, and of the next one.

    Raises ValueError if there is no such date.
    """
    year, month, day = (params.get(f"created__{part}") for part in ("year", "month", "day"))
    if not year:
        return None
    start = datetime(int(year), int(month or 1), int(day or 1))  # noqa: DTZ001  made aware below
    if day:
        end = start + timedelta(days=1)
    elif month:
        end = (start + timedelta(days=31)).replace(day=1)
    else:
        end = start.replace(year=start.year + 1)
    return make_aware(start), make_aware(end)
