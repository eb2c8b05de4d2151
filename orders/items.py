"""What an order consists of, and what came back of it."""

from django.db import models
from django.db.models import F, Q

from products.models import Product, Reason, StockAdjustment
from shopply.api.money import MoneyField


def protect(collector, field, items, using):
    """Do as models.PROTECT, which would read all the items to say that there are some."""
    first = set(items[:1])
    if first:
        raise models.ProtectedError("It was ordered, and orders are records.", first)


protect.lazy_sub_objs = True  # Django's word to leave the reading to this function


class OrderItem(models.Model):
    """A product and its quantity. Name, SKU and price are copied when the order is placed."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="items", db_index=False)
    product = models.ForeignKey(Product, protect, related_name="+")
    name = models.CharField(max_length=200)
    sku = models.CharField("SKU", max_length=40, null=True)  # noqa: DJ001  as of the product
    unit_price = MoneyField(whole_digits=10)
    quantity = models.PositiveIntegerField()
    line_total = MoneyField(whole_digits=13)
    returned = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="How many pieces came back."
    )

    # What is copied when the order is placed.
    COPIED_FIELDS = ("product_id", "name", "sku", "unit_price", "quantity", "line_total")

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.CheckConstraint(
                name="order_item_returned_at_most_sold",
                condition=Q(returned__gte=0, returned__lte=F("quantity")),
            ),
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


class TooManyReturned(Exception):
    """More pieces than were sold and are not back yet: `left` is `{product id: pieces}`.

    It has those products only of which there are too many; None for one that was not ordered.
    """

    def __init__(self, left):
        super().__init__("More pieces than were sold, less those that came back.")
        self.left = left


class ReturnedItemManager(models.Manager):
    def book(self, quantities, *, event, damaged, key=None, fingerprint="", **fields):
        """Put `{OrderItem: quantity}` back into stock, in the transaction that locked the order.

        One stock adjustment for each item, with these `fields`; one more for each writes `damaged`
        pieces off again. The first has the idempotency key.
        """
        back = {item.product_id: 0 if damaged else n for item, n in quantities.items()}
        products = Product.objects.restock(back)
        returns = []
        for item, quantity in quantities.items():
            stock = products[item.product_id].quantity_in_stock
            bookings = [(Reason.RETURNED, quantity, stock)]
            if damaged:
                bookings = [
                    (Reason.RETURNED, quantity, stock + quantity),
                    (Reason.DAMAGED, -quantity, stock),
                ]
            for reason, delta, stock_afterwards in bookings:
                adjustment = StockAdjustment(
                    product_id=item.product_id,
                    reason=reason,
                    delta=delta,
                    quantity_in_stock=stock_afterwards,
                    **fields,
                )
                returns.append(ReturnedItem(item=item, event=event, adjustment=adjustment))
        first = returns[0].adjustment
        first.idempotency_key, first.fingerprint = key, fingerprint
        StockAdjustment.objects.bulk_create(row.adjustment for row in returns)
        self.bulk_create(returns)


class ReturnedItem(models.Model):
    """Pieces of an order's item that came back: the stock adjustment that booked them."""

    item = models.ForeignKey(OrderItem, models.CASCADE, related_name="returns")
    # Found by the item, so it needs no index. Null in rows of earlier releases.
    event = models.ForeignKey(
        "OrderEvent",
        models.CASCADE,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    adjustment = models.OneToOneField(StockAdjustment, models.CASCADE, related_name="+")

    objects = ReturnedItemManager()

    class Meta:
        ordering = ("pk",)

    def __str__(self):
        return f"{self.adjustment} of {self.item}"
