from django_filters import rest_framework as filters

from orders.models import Order
from orders.transitions import Status
from shopply.api.filters import FilterSet, RegexFilter, RejectEmptyParamsForm, UTCDateTimeFilter
from shopply.api.schema import NOT_BLANK


class ChoicesFilter(filters.BaseInFilter, filters.ChoiceFilter):
    """One or several of the choices."""


class OrderFilter(FilterSet):
    """Filters of the list. `after` is inclusive, `before` exclusive."""

    status = ChoicesFilter(
        choices=Status.choices,
        label="Only orders with this status, or one of several: repeated, or with commas.",
        error_messages={"invalid_choice": f"Must be one of {', '.join(Status.values)}."},
    )
    created_after = UTCDateTimeFilter("created", "gte", label="Placed at this time or later.")
    created_before = UTCDateTimeFilter("created", "lt", label="Placed before this time.")
    modified_after = UTCDateTimeFilter(
        "modified", "gte", label="Changed at this time or later: to keep a copy up to date."
    )
    modified_before = UTCDateTimeFilter("modified", "lt", label="Changed before this time.")
    reference = RegexFilter(
        pattern=NOT_BLANK,
        message="Must not be blank.",
        label="Only orders with this number of the customer's own.",
    )
    customer = RegexFilter(
        method="filter_customer",
        pattern="^([1-9][0-9]{0,17}|all)$",
        message="Must be the id of a customer, or `all`.",
        label="For staff: the id of a customer, or `all`. Without it, your own orders.",
    )

    class Meta:
        model = Order
        fields = ()
        form = RejectEmptyParamsForm

    def filter_customer(self, orders, name, value):
        return orders if value == "all" else orders.for_customer(value)
