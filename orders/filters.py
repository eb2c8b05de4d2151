from datetime import UTC

from django.core.exceptions import ValidationError
from django_filters import rest_framework as filters

from orders.models import Order
from orders.moves import Status
from shopply.api.filters import RegexFilter, RejectEmptyParamsForm


def within_the_calendar(moment):
    """Some moments of the years 1 and 9999 have no date in UTC."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValidationError(
            "Must be a moment of the years 1 to 9999, in UTC.", "outside_the_calendar"
        ) from None


class MomentFilter(filters.IsoDateTimeFilter):
    def __init__(self, *args, **kwargs):
        invalid = "Must be ISO 8601, such as 2026-05-01T12:00:00Z; a + is written %%2B in a query."
        super().__init__(
            *args,
            validators=[within_the_calendar],
            error_messages={"invalid": invalid},
            **kwargs,
        )

    def filter(self, orders, moment):
        """In UTC: PostgreSQL knows no time zone that is 16 hours or more away."""
        return super().filter(orders, moment and moment.astimezone(UTC))


class OrderFilter(filters.FilterSet):
    """Filters of the list. Spans of time are half open: from `after` on, up to but not `before`."""

    status = filters.ChoiceFilter(
        choices=Status.choices,
        label="Only orders in this state.",
        error_messages={"invalid_choice": f"Must be one of {', '.join(Status.values)}."},
    )
    created_after = MomentFilter("created", "gte", label="Placed then or later.")
    created_before = MomentFilter("created", "lt", label="Placed earlier.")
    modified_after = MomentFilter(
        "modified", "gte", label="Changed then or later: for keeping a copy up to date."
    )
    customer = RegexFilter(
        method="filter_customer",
        pattern="^([1-9][0-9]{0,17}|all)$",
        message="Must be the id of a customer, or `all`.",
        label="For staff: the orders of the customer with this id, or `all`. Your own without it.",
    )

    class Meta:
        model = Order
        fields = ()
        form = RejectEmptyParamsForm

    def filter_customer(self, orders, name, whose):
        return orders if whose == "all" else orders.of(whose)
