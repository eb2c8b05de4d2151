"""Orders in sheets: a row for each order, or for each of its items."""

from import_export.fields import Field

from orders import addresses
from orders.models import Order
from shopply.api.sheet_admin import SheetResource

RECIPIENT = ("recipient", *addresses.PARTS[1:])


class OrderResource(SheetResource):
    """With the e-mail address that the account has today, if the user `may_view_customers`."""

    order = Field("id")
    customer = Field("customer__username")
    email = Field("customer__email")
    recipient = Field("shipping_address__name")
    contact_number = Field("shipping_address__contact_number")
    street_1 = Field("shipping_address__street_1")
    street_2 = Field("shipping_address__street_2")
    city = Field("shipping_address__city")
    state = Field("shipping_address__state")
    postal_code = Field("shipping_address__postal_code")
    country = Field("shipping_address__country")

    class Meta:
        model = Order
        name = "one for each order"
        fields = (
            *("order", "created", "modified", "status", "customer", "email"),
            *("total_price", "currency", "reference", "note", "carrier", "tracking_number"),
            *RECIPIENT,
        )

    def __init__(self, may_view_customers=False):
        super().__init__()
        if not may_view_customers:
            del self.fields["email"]

    def iter_queryset(self, queryset):
        return super().iter_queryset(queryset.select_related("customer"))


class OrderItemResource(OrderResource):
    """The columns of the order, and those of its `item`."""

    product = Field("item__product_id")
    sku = Field("item__sku")
    name = Field("item__name")
    unit_price = Field("item__unit_price")
    quantity = Field("item__quantity")
    line_total = Field("item__line_total")
    returned = Field("item__returned")

    class Meta:
        name = "one for each item of an order"
        fields = (
            *("order", "created", "status", "customer", "email", "currency"),
            *("product", "sku", "name", "unit_price", "quantity", "line_total", "returned"),
            *RECIPIENT,
        )

    def iter_queryset(self, queryset):
        for order in super().iter_queryset(queryset.prefetch_related("items")):
            for item in order.items.all():
                order.item = item
                yield order
