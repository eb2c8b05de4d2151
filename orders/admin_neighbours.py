"""The way through the filtered list of orders: to the next one, the previous one, and back."""

from copy import copy

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Q
from django.http import Http404, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse

from orders.models import Order


class UnreadChangeList(ChangeList):
    """The filtered list as a queryset, neither counted nor read."""

    def get_results(self, request):
        pass


def reverse_ordering(ordering):
    return [name[1:] if name.startswith("-") else f"-{name}" for name in ordering]


def rows_after(values, ordering):
    """Return the condition of the rows that come after one with these values in this ordering."""
    condition = Q(pk__in=[])
    for name, value in reversed([*zip(ordering, values, strict=True)]):
        field = name.removeprefix("-")
        comparison = "lt" if name.startswith("-") else "gt"
        # Bounded by the first field, so that an index leads there.
        bound, beyond = (
            Q(**{f"{field}__{comparison}e": value}),
            Q(**{f"{field}__{comparison}": value}),
        )
        condition = bound & (beyond | condition)
    return condition


class NeighboursMixin:
    def get_urls(self):
        view = self.admin_site.admin_view(self.neighbour_view)
        route = "<int:pk>/neighbour/<str:side>/"
        return [path(route, view, name="orders_order_neighbour"), *super().get_urls()]

    def get_changelist(self, request, **kwargs):
        is_list = request.resolver_match.url_name == "orders_order_changelist"
        return super().get_changelist(request, **kwargs) if is_list else UnreadChangeList

    def get_neighbour(self, request, order, side):
        """Return the id of the `next` or `previous` order of the list the user came from, or None.

        By the place of this order, whether or not it is in the filtered list itself.
        """
        list_request = copy(request)
        list_request.GET = QueryDict(request.GET.get("_changelist_filters", ""))
        try:
            changelist = self.get_changelist_instance(list_request)
        except IncorrectLookupParameters as exc:
            raise BadRequest("The address has an invalid filter.") from exc
        ordering = changelist.get_ordering(list_request, changelist.root_queryset)
        if side == "previous":
            ordering = reverse_ordering(ordering)
        values = Order.objects.values_list(*(name.removeprefix("-") for name in ordering))
        orders = changelist.queryset.filter(rows_after(values.get(pk=order.pk), ordering))
        return orders.order_by(*ordering).values_list("pk", flat=True).first()

    def neighbour_view(self, request, pk, side):
        if side not in ("next", "previous"):
            raise Http404
        if not self.has_view_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, pk=pk)
        return self.redirect_to(request, self.get_neighbour(request, order, side))

    def redirect_to(self, request, pk):
        """Redirect to a neighbour, or to the list if there is none."""
        if pk is not None:
            return redirect(self.get_page_url(request, "change", pk))
        self.message_user(request, "There is no further order in this list.")
        return self.redirect_to_list(request)

    def redirect_to_list(self, request):
        return redirect(self.get_page_url(request, "changelist"))

    def get_page_url(self, request, name, *args):
        """Return the URL of a page of orders, with the filters of the list."""
        context = {"opts": self.opts, "preserved_filters": self.get_preserved_filters(request)}
        return add_preserved_filters(context, reverse(f"admin:orders_order_{name}", args=args))
