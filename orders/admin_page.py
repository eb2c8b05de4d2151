"""The page of one order in the admin."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from orders.addresses import label_lines
from orders.admin_forms import FORMS, StaffNoteForm
from orders.admin_neighbours import NeighboursMixin
from orders.admin_views import ActionsMixin
from orders.events import Action, get_action
from orders.models import Order, OrderEvent, OrderItem
from orders.transitions import Status, allowed_actions
from products.admin import ReadOnlyAdminMixin
from products.models import Product
from shopply.api.permissions import may_view

OTHER_ORDERS_LIMIT = 5
LINK = '<a href="{}">{}</a>'


def join_lines(*lines):
    """Return the lines that are not empty, escaped, one below the other."""
    return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines if line))


class PartOfOrderInline(ReadOnlyAdminMixin, admin.TabularInline):
    """Whoever may see an order sees all of it."""

    def has_view_permission(self, request, obj=None):
        return may_view(self, request, Order)


class OrderItemInline(PartOfOrderInline):
    model = OrderItem
    readonly_fields = ("product_link", "product_name", "price", "returned", "total")

    def get_fields(self, request, obj=None):
        product = "product_link" if may_view(self, request, Product) else "product_name"
        return (product, "price", "quantity", "returned", "total")

    @admin.display(description="product")
    def product_link(self, item):
        url = reverse("admin:products_product_change", args=[item.product_id])
        return join_lines(format_html(LINK, url, item.name), item.sku)

    @admin.display(description="product")
    def product_name(self, item):
        return join_lines(item.name, item.sku)

    def price(self, item):
        return localize(item.unit_price)

    def total(self, item):
        return localize(item.line_total)


class OrderEventInline(PartOfOrderInline):
    model = OrderEvent
    fields = readonly_fields = ("event", "at", "actor", "details")

    def get_queryset(self, request):
        """Return what happened since the order was placed, for which old releases wrote a row."""
        events = super().get_queryset(request).select_related("by")
        return events.exclude(status=Status.PLACED, action="")

    def event(self, event):
        action = Action(get_action(event))
        if action == Action.UNDO:
            return f"{action.label}: {event.get_status_display().lower()} again"
        return action.label

    @admin.display(description="by")
    def actor(self, event):
        return event.by or "the shop"

    @admin.display(description="note")
    def details(self, event):
        address = ", ".join(label_lines(event.shipping_address))
        return join_lines(event.note, address and f"Before: {address}")


class OrderPageMixin(ActionsMixin, NeighboursMixin, ReadOnlyAdminMixin):
    change_form_template = "admin/orders/order/change_form.html"
    inlines = (OrderItemInline, OrderEventInline)

    def get_fieldsets(self, request, obj=None):
        customer, placed_by = "customer", "placed_by"  # whom Django links to their pages
        if not may_view(self, request, get_user_model()):
            customer, placed_by = "customer_name", "placed_by_name"
        optional = (("placed_by", placed_by), ("reference", "reference"))
        shown = [field for name, field in optional if getattr(obj, name)]
        fields = ("status", customer, *shown, "total", "created", "modified")
        parcel = ("address", "tracking") if obj.carrier or obj.tracking_number else ("address",)
        return [("Order", {"fields": fields}), ("Parcel", {"fields": parcel})]

    @admin.display(description="customer")
    def customer_name(self, order):
        return order.customer

    @admin.display(description="placed by")
    def placed_by_name(self, order):
        return order.placed_by

    @admin.display(description="shipping address")
    def address(self, order):
        if order.shipping_address is None:
            return "None: the customer collects the order."
        lines = label_lines(order.shipping_address)
        return format_html_join("", "{}<br>", ((line,) for line in lines))

    def tracking(self, order):
        parcel = f"{order.carrier} {order.tracking_number}".strip()
        return format_html(LINK, order.tracking_url, parcel) if order.tracking_url else parcel

    def render_change_form(self, request, context, obj=None, **kwargs):
        others = Order.objects.for_customer(obj.customer_id)
        context |= {
            "title": obj,
            "subtitle": None,
            "totals": others.totals(),
            "other_orders": others.exclude(pk=obj.pk)[:OTHER_ORDERS_LIMIT],
        }
        if self.has_transition_permission(request):
            allowed = allowed_actions(request.user, obj)
            context |= {
                "forms": [(name, FORMS[name](order=obj)) for name in FORMS if name in allowed],
                "staff_note_form": StaffNoteForm(order=obj),
            }
        return super().render_change_form(request, context, obj=obj, **kwargs)
