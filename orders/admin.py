import re

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.views.decorators.http import require_POST

from orders.admin_bulk import BULK_ACTIONS, BulkTransitionMixin, RefusedFilter
from orders.models import Order, OrderEvent, OrderItem
from orders.packing import PRINT_ACTIONS, PackingMixin
from orders.transitions import TRANSITIONS, IllegalTransition, Status, allowed_transitions
from products.admin import ReadOnlyAdminMixin
from products.models import Product
from products.search import split_words
from shopply.api.fields import validate_line

ORDER_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)


class OrderItemInline(ReadOnlyAdminMixin, admin.TabularInline):
    model = OrderItem
    fields = ("sku", "name", "unit_price", "quantity", "line_total")


class OrderEventInline(ReadOnlyAdminMixin, admin.TabularInline):
    model = OrderEvent
    fields = ("status", "at", "by", "note")

    def get_queryset(self, request):
        """Return the transitions: earlier releases wrote a row for the placed event too."""
        return super().get_queryset(request).exclude(status=Status.PLACED)


@admin.register(Order)
class OrderAdmin(BulkTransitionMixin, PackingMixin, ReadOnlyAdminMixin, admin.ModelAdmin):
    list_display = ("id", "status", "placed", "customer", "total", "destination")
    list_filter = ("status", "created", RefusedFilter)
    list_select_related = ("customer",)
    search_fields = ("id",)  # shows the search box; `get_search_results` says what it finds
    search_help_text = "Order number, reference, customer's user name or e-mail, words of a product"
    date_hierarchy = "created"
    list_per_page = 50
    fields = (
        *("status", "customer", "placed_by", "reference", "note", "total", "address"),
        *("created", "modified"),
    )
    inlines = (OrderItemInline, OrderEventInline)
    actions = (*BULK_ACTIONS, *PRINT_ACTIONS)

    def get_search_results(self, request, orders, text):
        """Search by subqueries, where Django would join all items of all orders."""
        for word in split_words(text):
            is_named = Q(username__icontains=word) | Q(email__icontains=word)
            customers = get_user_model().objects.filter(is_named)
            items = OrderItem.objects.filter(product__in=Product.objects.search([word]))
            numbers = [int(word)] if ORDER_NUMBER.fullmatch(word) else []
            ids = Order.objects.order_by().values("pk")
            orders = orders.filter(
                pk__in=ids.filter(customer__in=customers).union(
                    ids.filter(Q(pk__in=numbers) | Q(reference=word)),
                    items.order_by().values("order"),
                )
            )
        return orders, False

    @admin.display(ordering="total_price")
    def total(self, order):
        return f"{order.total_price} {order.currency}"

    @admin.display(ordering="created")
    def placed(self, order):
        return date_format(localtime(order.created), "j M Y H:i")

    @admin.display(description="to")
    def destination(self, order):
        if order.shipping_address is None:
            return "collected"
        parts = (order.shipping_address[part] for part in ("name", "city", "country"))
        return ", ".join(part for part in parts if part)

    @admin.display(description="shipping address")
    def address(self, order):
        if order.shipping_address is None:
            return "None: the customer collects the order."
        parts = (value for value in order.postal_address.values() if value)
        return format_html_join("", "{}<br>", ((part,) for part in parts))

    def has_transition_permission(self, request):
        return request.user.has_perm("orders.change_order")

    def make_transition(self, request, order, name, note=""):
        """Return whether the order made the transition; if not, show the user why."""
        try:
            getattr(order, name)(by=request.user, note=note)
        except IllegalTransition as exc:
            self.message_user(request, f"{order}: {exc}", messages.ERROR)
            return False
        return True

    def get_urls(self):
        view = self.admin_site.admin_view(require_POST(self.transition_view))
        return [
            path("<int:pk>/move/<str:name>/", view, name="orders_order_transition"),
            *super().get_urls(),
        ]

    def transition_view(self, request, pk, name):
        """Handle the buttons of an order's page."""
        if name not in TRANSITIONS:
            raise Http404
        if not self.has_transition_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, pk=pk)
        note = request.POST.get("note", "")[:500]
        try:
            validate_line(note)
        except ValidationError as exc:
            self.message_user(request, f"Note: {exc.message}", messages.ERROR)
        else:
            if self.make_transition(request, order, name, note):
                self.message_user(request, f"{order} is {order.status} now.")
        return redirect("admin:orders_order_change", pk)

    def render_change_form(self, request, context, obj=None, **kwargs):
        if self.has_transition_permission(request):
            context["transitions"] = allowed_transitions(request.user, obj)
        return super().render_change_form(request, context, obj=obj, **kwargs)
