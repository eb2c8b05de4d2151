"""Orders in sheets: a row for each order, or for each of its items."""

from orders.models import Order
from shopply.api.sheet_admin import SheetResource, column


class OrderResource(SheetResource):
    order = column("id")
    customer = column("customer__username")
    email = column("customer__email")
    recipient = column("shipping_address__name")
    contact_number = column("shipping_address__contact_number")
    street_1 = column("shipping_address__street_1")
    street_2 = column("shipping_address__street_2")
    city = column("shipping_address__city")
    state = column("shipping_address__state")
    postal_code = column("shipping_address__postal_code")
    country = column("shipping_address__country")

    class Meta:
        model = Order
        name = "one for each order"
        fields = (
            *("order", "created", "modified", "status", "customer", "email"),
            *("total_price", "currency", "reference", "note", "carrier", "tracking_number"),
            *("recipient", "contact_number", "street_1", "street_2"),
            *("city", "state", "postal_code", "country"),
        )

    def iter_queryset(self, queryset):
        return super().iter_queryset(queryset.select_related("customer"))


class OrderItemResource(OrderResource):
    """The columns of the order, and those of its `item`."""

    product = column("item__product_id")
    sku = column("item__sku")
    name = column("item__name")
    unit_price = column("item__unit_price")
    quantity = column("item__quantity")
    line_total = column("item__line_total")
    returned = column("item__returned")

    class Meta:
        name = "one for each item of an order"
        fields = (
            *("order", "created", "status", "customer", "email", "currency"),
            *("product", "sku", "name", "unit_price", "quantity", "line_total", "returned"),
            *("recipient", "contact_number", "street_1", "street_2"),
            *("city", "state", "postal_code", "country"),
        )

    def iter_queryset(self, queryset):
        for order in super().iter_queryset(queryset.prefetch_related("items")):
            for item in order.items.all():
                order.item = item
                yield order
