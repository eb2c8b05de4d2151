"""The stock ledger: what moved the stock, and whether that adds up to what is there.

Used by `verify_stock`, the system check, the metrics and the stock history of the API.
"""

from django.db.models import BigIntegerField, F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from orders.models import OrderItem, ReturnedItem
from orders.transitions import Status
from products.models import Product, StockAdjustment


def list_movements(product):
    """Return what moved a product's stock, newest first: adjustments, sales and cancelled sales.

    Dicts of `at reason delta note by order`: `reason` is a Reason of an adjustment, or it is
    `sale` or `cancelled`. `order` is the id of the order that was sold, cancelled or came back.
    """
    returned = ReturnedItem.objects.filter(adjustment=OuterRef("pk"))
    adjustments = StockAdjustment.objects.filter(product=product).annotate(
        at=F("created"), by=F("actor"), order=Subquery(returned.values("item__order"))
    )
    items = OrderItem.objects.filter(product=product)
    sold = items.annotate(
        at=F("order__created"),
        reason=Value("sale"),
        delta=-F("quantity"),
        note=Value(""),
        by=Coalesce("order__placed_by", "order__customer"),
    )
    cancelled = items.filter(order__events__status=Status.CANCELLED).annotate(
        at=F("order__events__at"),
        reason=Value("cancelled"),
        delta=F("quantity"),
        note=F("order__events__note"),
        by=F("order__events__by"),
    )
    columns = ("at", "reason", "delta", "note", "by", "order")
    rows = (movements.order_by().values(*columns) for movements in (adjustments, sold, cancelled))
    return next(rows).union(*rows, all=True).order_by("-at", "-order")


def find_discrepancies():
    """Return the products whose stock is not what their adjustments and orders add up to.

    Each has `adjusted` and `sold`: the stock should be the first less the second.
    """

    def total(rows, field):
        summed = rows.filter(product=OuterRef("pk")).order_by().values("product")
        return Coalesce(
            Subquery(summed.annotate(total=Sum(field)).values("total")),
            Value(0),
            output_field=BigIntegerField(),
        )

    sold = OrderItem.objects.exclude(order__status=Status.CANCELLED)
    return Product.objects.annotate(
        adjusted=total(StockAdjustment.objects.all(), "delta"), sold=total(sold, "quantity")
    ).exclude(quantity_in_stock=F("adjusted") - F("sold"))
