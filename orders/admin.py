from django.contrib import admin
from django.utils.html import format_html_join

from orders.models import Order, OrderItem


class Record:
    """To be looked at, never typed over: mixed into the admins of orders."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class OrderItemInline(Record, admin.TabularInline):
    model = OrderItem
    fields = ("sku", "name", "unit_price", "quantity", "line_total")


@admin.register(Order)
class OrderAdmin(Record, admin.ModelAdmin):
    list_display = ("id", "created", "customer", "status", "total_price", "currency", "destination")
    list_filter = ("status", "created")
    list_select_related = ("customer",)
    search_fields = ("=id", "customer__username", "customer__email", "items__sku", "items__name")
    search_help_text = "Order number, customer's user name or e-mail, product name or SKU"
    date_hierarchy = "created"
    list_per_page = 50
    fields = (
        ("id", "status"),
        "customer",
        ("total_price", "currency"),
        "address",
        ("created", "modified"),
    )
    inlines = (OrderItemInline,)

    @admin.display(description="to")
    def destination(self, order):
        return f"{order.shipping_address['city']}, {order.shipping_address['country']}"

    @admin.display(description="shipping address")
    def address(self, order):
        lines = (value for value in order.shipping_address.values() if value)
        return format_html_join("", "{}<br>", ((line,) for line in lines))
