import re

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.timezone import localtime

from orders.admin_bulk import BULK_ACTIONS, BulkTransitionMixin
from orders.admin_filters import CustomerFilter, RefusedFilter
from orders.admin_page import OrderPageMixin
from orders.models import Order, OrderItem
from orders.packing import PRINT_ACTIONS, PackingMixin
from products.models import Product
from products.search import split_words

ORDER_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)


@admin.register(Order)
class OrderAdmin(BulkTransitionMixin, PackingMixin, OrderPageMixin, admin.ModelAdmin):
    list_display = ("id", "status", "placed", "customer", "total", "destination")
    list_filter = ("status", "created", CustomerFilter, RefusedFilter)
    list_select_related = ("customer",)
    search_fields = ("id",)  # shows the search box; `get_search_results` says what it finds
    search_help_text = "Order number, reference, customer's user name or e-mail, words of a product"
    date_hierarchy = "created"
    list_per_page = 50
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
