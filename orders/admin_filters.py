"""Filters of the list of orders in the admin."""

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model


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
