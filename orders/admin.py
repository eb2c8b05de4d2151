from django.contrib import admin
from django.contrib.auth import get_user_model
from django.utils.formats import localize

from orders import admin_stock  # noqa: F401  registers the product with its time line
from orders.admin_bulk import BULK_ACTIONS, BulkTransitionMixin
from orders.admin_filters import CustomerFilter, RefusedFilter
from orders.admin_page import OrderPageMixin
from orders.admin_search import OrderSearchMixin
from orders.models import Order
from orders.packing import PRINT_ACTIONS, PackingMixin
from orders.resources import OrderItemResource, OrderResource
from shopply.api.permissions import may_view
from shopply.api.sheet_admin import SheetExportMixin


@admin.register(Order)
class OrderAdmin(
    BulkTransitionMixin,
    PackingMixin,
    SheetExportMixin,
    OrderPageMixin,
    OrderSearchMixin,
    admin.ModelAdmin,
):
    resource_classes = [OrderResource, OrderItemResource]
    list_display = ("id", "status", "created", "customer", "total", "destination")
    list_filter = ("status", "created", CustomerFilter, RefusedFilter)
    list_select_related = ("customer",)
    date_hierarchy = "created"
    list_per_page = 50
    permission_labels = {
        "view": "see them, with items and events",
        "add": "order for a customer (in the API)",
        "change": "move, cancel and correct them, take items back",
    }
    actions = (*BULK_ACTIONS, *PRINT_ACTIONS)

    def get_export_resource_kwargs(self, request, **kwargs):
        return {"may_view_customers": may_view(self, request, get_user_model())}

    @admin.display(ordering="total_price")
    def total(self, order):
        return f"{localize(order.total_price)} {order.currency}"

    @admin.display(description="to")
    def destination(self, order):
        if order.shipping_address is None:
            return "collected"
        parts = (order.shipping_address[part] for part in ("name", "city", "country"))
        return ", ".join(part for part in parts if part)
