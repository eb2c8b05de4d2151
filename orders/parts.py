"""What an order is made of: its lines, and the events that tell what became of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from orders.moves import Status
from products.models import Product


def protect(collector, field, lines, using):
    """models.PROTECT, which would read each of the lines to say that there are some."""
    one = set(lines[:1])
    if one:
        raise models.ProtectedError("It was ordered, and orders are records.", one)


protect.lazy_sub_objs = True  # Django's word to leave the reading to this function


class OrderItem(models.Model):
    """One line. Name, SKU and price are those of the moment the order was placed."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="items", db_index=False)
    product = models.ForeignKey(Product, protect, related_name="+")
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


class OrderEvent(models.Model):
    """That an order was placed or moved on: when, and by whom."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="events", db_index=False)
    status = models.CharField(max_length=10, choices=Status)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=("order", "status"), name="order_event_once"),
        ]

    def __str__(self):
        return f"{self.status} {self.at:%Y-%m-%d %H:%M}"
