"""Filters of the list of orders in the admin."""

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model

from orders.bulk import SelectedOrder


class CustomerFilter(admin.SimpleListFilter):
    """The orders of one customer, `?customer=<id>`, to which other pages link.

    It shows on the page only when it is used: a shop has too many customers to choose from.
    """

    title = "customer"
    parameter_name = "customer"

    def lookups(self, request, model_admin):
        if self.value() is None:
            return []
        try:
            customer = get_user_model().objects.get(pk=int(self.value()))
        except (ValueError, get_user_model().DoesNotExist) as exc:
            raise IncorrectLookupParameters(exc) from exc
        return [(customer.pk, customer)]

    def queryset(self, request, orders):
        return orders.filter(customer=self.value()) if self.value() else orders


class RefusedFilter(admin.SimpleListFilter):
    """The orders that one of the user's bulk transitions could not change; else not shown."""

    title = "selection"
    parameter_name = "bulk"

    def lookups(self, request, model_admin):
        return [(self.value(), "could not be changed")] if self.value() else []

    def queryset(self, request, orders):
        refused = SelectedOrder.objects.filter(bulk__by=request.user, refused=True)
        return orders.filter(pk__in=refused.filter(bulk=self.value()).values("order"))
