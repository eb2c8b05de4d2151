import time

from django.contrib import admin, messages
from django.utils.translation import ngettext

from orders import admin_stock  # noqa: F401  registers the product with its time line
from orders.admin_filters import CustomerFilter
from orders.admin_page import OrderPageMixin
from orders.admin_search import OrderSearchMixin
from orders.models import Order
from orders.resources import OrderItemResource, OrderResource
from orders.transitions import TRANSITIONS, IllegalTransition
from shopply.api.sheet_admin import SheetExportMixin

# Limits of one bulk action, so that a request does not block its thread.
BULK_TIMEOUT = 0.5  # seconds
BULK_SIZE = 500
MAX_MESSAGES = 10


def bulk_action(name):
    """Return the admin action that makes this transition with each of the selected orders."""

    @admin.action(description=f"{name.capitalize()} selected orders", permissions=["transition"])
    def make_transitions(modeladmin, request, orders):
        deadline = time.monotonic() + BULK_TIMEOUT
        ready = orders.filter(status__in=TRANSITIONS[name].sources)
        for order in list(orders.exclude(status__in=TRANSITIONS[name].sources)[:MAX_MESSAGES]):
            modeladmin.make_transition(request, order, name)  # says why it cannot
        changed = 0
        for order in ready[:BULK_SIZE]:
            if time.monotonic() > deadline:
                break
            changed += modeladmin.make_transition(request, order, name)
        if changed:
            count = ngettext("%d order", "%d orders", changed) % changed
            modeladmin.message_user(request, f"{count} {TRANSITIONS[name].target}.")
        if ready.exists():
            message = "Not all orders were processed: select the others and run the action again."
            modeladmin.message_user(request, message, messages.WARNING)

    make_transitions.__name__ = name
    return make_transitions


@admin.register(Order)
class OrderAdmin(SheetExportMixin, OrderPageMixin, OrderSearchMixin, admin.ModelAdmin):
    resource_classes = [OrderResource, OrderItemResource]
    list_display = ("id", "created", "customer", "status", "total", "destination")
    list_filter = ("status", "created", CustomerFilter)
    list_select_related = ("customer",)
    date_hierarchy = "created"
    list_per_page = 50
    permission_labels = {
        "view": "see them, with items and events",
        "add": "order for a customer (in the API)",
        "change": "move, cancel and correct them, take items back",
    }
    actions = [bulk_action(name) for name in TRANSITIONS]

    @admin.display(ordering="total_price")
    def total(self, order):
        return f"{order.total_price} {order.currency}"

    @admin.display(description="to")
    def destination(self, order):
        address = order.shipping_address
        return f"{address['city']}, {address['country']}" if address else "collected"

    def make_transition(self, request, order, name, note=""):
        """Return whether the order made the transition; if not, show the user why."""
        try:
            getattr(order, name)(by=request.user, note=note)
        except IllegalTransition as exc:
            self.message_user(request, f"{order}: {exc}", messages.ERROR)
            return False
        return True
