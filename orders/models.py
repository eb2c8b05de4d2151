"""Orders: records of who bought what, at which price, sent where."""

from decimal import Decimal

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from products.models import Product

MAX_LINES = 100
MAX_QUANTITY = 10_000
# The largest sum that 15 digits hold, and SQLite keeps no more of a decimal.
MAX_TOTAL = Decimal("9999999999999.99")


class AddressMissing(Exception):
    """Neither the order nor the customer's profile says where to send the parcel.

    `fields` are the parts of the address that an order cannot go without and that are empty.
    """

    def __init__(self, fields):
        super().__init__(f"The address lacks {', '.join(fields)}.")
        self.fields = fields


class TotalTooLarge(Exception):
    """The order comes to more than MAX_TOTAL."""


class OrderQuerySet(models.QuerySet):
    def visible_to(self, user):
        """All for staff, your own for a customer."""
        return self if user.is_staff else self.of(user.pk)

    def of(self, customer_id):
        return self.filter(customer_id=customer_id)

    def with_items(self):
        return self.prefetch_related("items")


class OrderManager(models.Manager.from_queryset(OrderQuerySet)):
    def place(self, *, customer, quantities, shipping_address=None):
        """Order `{product id: quantity}` for a customer: all lines or none.

        Names, SKUs and prices are copied from the products, the address from
        `shipping_address` or else the customer's profile. Stock leaves in the same transaction.
        Raises AddressMissing, UnknownProducts, OutOfStock, TotalTooLarge.
        """
        address = Order.address_for(customer, shipping_address)
        with transaction.atomic():
            products = Product.objects.take(quantities)
            items = [OrderItem.copy_of(products[pk], n) for pk, n in quantities.items()]
            total = sum(item.line_total for item in items)
            if total > MAX_TOTAL:
                raise TotalTooLarge
            order = self.create(
                customer=customer,
                total_price=total,
                currency=settings.SHOP_CURRENCY,
                shipping_address=address,
            )
            for item in items:
                item.order = order
            OrderItem.objects.bulk_create(items)
        return order


class Order(models.Model):
    class Status(models.TextChoices):
        PLACED = "placed"
        CONFIRMED = "confirmed"
        SHIPPED = "shipped"
        DELIVERED = "delivered"
        CANCELLED = "cancelled"

    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.PLACED)
    total_price = models.DecimalField(max_digits=15, decimal_places=2)
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    shipping_address = models.JSONField(help_text="As it was when the order was placed.")
    created = models.DateTimeField(auto_now_add=True, db_index=True)
    modified = models.DateTimeField(auto_now=True, db_index=True)

    objects = OrderManager()

    class Meta:
        ordering = ("-pk",)
        indexes = [models.Index(fields=("customer", "-id"), name="order_history")]
        constraints = [
            models.CheckConstraint(
                name="order_total_not_negative", condition=Q(total_price__gte=0)
            ),
            models.CheckConstraint(
                name="order_status_known",
                condition=Q(
                    status__in=("placed", "confirmed", "shipped", "delivered", "cancelled")
                ),
            ),
        ]

    # What a parcel cannot do without.
    ADDRESS_NEEDS = ("street_1", "city", "country")

    def __str__(self):
        return f"Order {self.pk}"

    @classmethod
    def address_for(cls, customer, given=None):
        """The address to copy: the one given, or the customer's; the latter's name in both."""
        profile = customer.postal_address()
        address = profile
        if given:
            recipient = {part: profile[part] for part in ("name", "contact_number")}
            address = recipient | given
        missing = [part for part in cls.ADDRESS_NEEDS if not address[part]]
        if missing:
            raise AddressMissing(missing)
        return address


class OrderItem(models.Model):
    """One line. Name, SKU and price are those of the moment the order was placed."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="items", db_index=False)
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    sku = models.CharField("SKU", max_length=40)
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)
    quantity = models.PositiveIntegerField()
    line_total = models.DecimalField(max_digits=15, decimal_places=2)

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=("order", "product"), name="order_item_product_once"),
            models.CheckConstraint(
                name="order_item_quantity_positive", condition=Q(quantity__gte=1)
            ),
            models.CheckConstraint(
                name="order_item_money_not_negative",
                condition=Q(unit_price__gte=0, line_total__gte=0),
            ),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.name}"

    @classmethod
    def copy_of(cls, product, quantity):
        """A line of so many of the product, not yet of any order."""
        return cls(
            product=product,
            name=product.name,
            sku=product.sku,
            unit_price=product.price,
            quantity=quantity,
            line_total=product.price * quantity,
        )
