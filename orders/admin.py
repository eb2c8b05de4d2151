import re
import time

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.html import format_html_join
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from orders.models import Order, OrderEvent, OrderItem
from orders.moves import MOVES, IllegalTransition, Status, moves_of
from products.admin import Record
from products.models import Product
from products.search import split_words

# Of one action: a request must not keep its thread from others.
BULK_TIMEOUT = 0.5  # seconds
BULK_SIZE = 500
MAX_MESSAGES = 10

ORDER_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)


class OrderItemInline(Record, admin.TabularInline):
    model = OrderItem
    fields = ("sku", "name", "unit_price", "quantity", "line_total")


class OrderEventInline(Record, admin.TabularInline):
    model = OrderEvent
    fields = ("status", "at", "by", "note")

    def get_queryset(self, request):
        """The moves; releases before this one wrote a row of the placed event too."""
        return super().get_queryset(request).exclude(status=Status.PLACED)


def in_bulk(name):
    """The action that makes this move with each of the selected orders that may make it."""

    @admin.action(description=f"{name.capitalize()} selected orders", permissions=["move"])
    def make_moves(modeladmin, request, orders):
        deadline = time.monotonic() + BULK_TIMEOUT
        movable = orders.filter(status__in=MOVES[name].sources)
        for order in list(orders.exclude(status__in=MOVES[name].sources)[:MAX_MESSAGES]):
            modeladmin.make_move(request, order, name)  # says why it cannot
        moved = 0
        for order in movable[:BULK_SIZE]:
            if time.monotonic() > deadline:
                break
            moved += modeladmin.make_move(request, order, name)
        if moved:
            count = ngettext("%d order", "%d orders", moved) % moved
            modeladmin.message_user(request, f"{count} {MOVES[name].target}.")
        if movable.exists():
            message = "That was not all of them: select the others and choose the action again."
            modeladmin.message_user(request, message, messages.WARNING)

    make_moves.__name__ = name
    return make_moves


@admin.register(Order)
class OrderAdmin(Record, admin.ModelAdmin):
    list_display = ("id", "created", "customer", "status", "total", "destination")
    list_filter = ("status", "created")
    list_select_related = ("customer",)
    search_fields = ("id",)  # what is found is told below
    search_help_text = (
        "Order number, customer's user name or e-mail, words of a product as it is now"
    )
    date_hierarchy = "created"
    list_per_page = 50
    fields = ("status", "customer", "total", "address", "created", "modified")
    inlines = (OrderItemInline, OrderEventInline)
    actions = [in_bulk(name) for name in MOVES]

    def get_search_results(self, request, orders, text):
        """Django would join all lines of all orders, for each of three counts and the page."""
        for word in split_words(text):
            is_named = Q(username__icontains=word) | Q(email__icontains=word)
            customers = get_user_model().objects.filter(is_named)
            lines = OrderItem.objects.filter(product__in=Product.objects.search([word]))
            numbers = [int(word)] if ORDER_NUMBER.fullmatch(word) else []
            found = Order.objects.order_by().values("pk")
            orders = orders.filter(
                pk__in=found.filter(customer__in=customers).union(
                    found.filter(pk__in=numbers), lines.order_by().values("order")
                )
            )
        return orders, False

    @admin.display(ordering="total_price")
    def total(self, order):
        return f"{order.total_price} {order.currency}"

    @admin.display(description="to")
    def destination(self, order):
        return f"{order.shipping_address['city']}, {order.shipping_address['country']}"

    @admin.display(description="shipping address")
    def address(self, order):
        lines = (value for value in order.shipping_address.values() if value)
        return format_html_join("", "{}<br>", ((line,) for line in lines))

    def has_move_permission(self, request):
        return request.user.has_perm("orders.change_order")

    def make_move(self, request, order, name, note=""):
        """Whether the order could make the move; if not, the user is told why."""
        try:
            getattr(order, name)(by=request.user, note=note)
        except IllegalTransition as exc:
            self.message_user(request, f"{order}: {exc}", messages.ERROR)
            return False
        return True

    def get_urls(self):
        move = self.admin_site.admin_view(require_POST(self.move))
        return [
            path("<int:pk>/move/<str:name>/", move, name="orders_order_move"),
            *super().get_urls(),
        ]

    def move(self, request, pk, name):
        """What the buttons of an order's page post to."""
        if name not in MOVES:
            raise Http404
        if not self.has_move_permission(request):
            raise PermissionDenied
        order = get_object_or_404(Order, pk=pk)
        if self.make_move(request, order, name, request.POST.get("note", "")[:500]):
            self.message_user(request, f"{order} is {order.status} now.")
        return redirect("admin:orders_order_change", pk)

    def render_change_form(self, request, context, obj=None, **kwargs):
        if self.has_move_permission(request):
            context["moves"] = moves_of(request.user, obj)
        return super().render_change_form(request, context, obj=obj, **kwargs)
