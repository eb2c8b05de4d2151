"""The stock ledger: what moved the stock, and whether that adds up to what is there.

Used by `verify_stock`, the system check, the metrics and the stock history of the API.
"""

import heapq
from itertools import groupby
from operator import itemgetter

from django.db.models import BigIntegerField, F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from orders.models import OrderEvent, OrderItem, ReturnedItem
from orders.transitions import Status
from products.managers import MAX_ID
from products.models import Product, StockAdjustment

COLUMNS = ("at", "reason", "delta", "note", "by", "order", "rank", "number")


def list_movements(product):
    """Return what moved a product's stock, newest first: adjustments, sales and cancelled sales.

    Dicts of COLUMNS: `reason` is a Reason of an adjustment, or it is `sale` or `cancelled`. `order`
    is the id of the order that was sold, cancelled or came back. `rank` and `number` order what
    happened at the same time.
    """
    first, *others = (with_columns(*source) for source in get_sources(product))
    return first.union(*others, all=True).order_by("-at", "-rank", "-number")


def list_balances(product, limit, start=None):
    """Return at most `limit` movements, newest first, and where the next page starts, or None.

    Each has the `balance`: the stock after it. A page is merged from one of each source, in the
    order of their numbers, since a hot product has too many sales to sort them all by time.
    """
    *ends, balance = start or (MAX_ID, MAX_ID, MAX_ID, None)
    sources = []
    for (rows, columns), end in zip(get_sources(product), ends, strict=True):
        key = columns["number"].name
        ids = rows.filter(**{f"{key}__lt": end}).order_by(f"-{key}").values("pk")[: limit + 1]
        sources.append(with_columns(rows.filter(pk__in=ids), columns))
    # In the same statement, which sees the stock as of the newest movement.
    stock = Subquery(Product.objects.filter(pk=product.pk).values("quantity_in_stock"))
    first, *others = (rows.annotate(stock=stock) for rows in sources)
    movements = merge_sources(first.union(*others, all=True))
    page, rest = movements[:limit], movements[limit:]
    for row in page:
        stock = row.pop("stock")
        row["balance"] = stock if balance is None else balance
        balance = row["balance"] - row["delta"]
    # The next page starts with what is left, so that it has nothing that was written since.
    left = {row["rank"]: row["number"] for row in reversed(rest)}
    ends = [left.get(rank, 0) + 1 for rank in range(len(ends))]
    return page, [*ends, balance] if rest else None


def merge_sources(rows):
    """Return the rows, newest first, but those of each source in the order of their numbers."""
    rows = sorted(rows, key=itemgetter("rank", "number"), reverse=True)
    sources = [list(group) for _, group in groupby(rows, key=itemgetter("rank"))]
    return list(heapq.merge(*sources, key=itemgetter("at", "rank"), reverse=True))


def get_sources(product):
    """Return the rows of each source of movements, and the expressions of their columns."""
    returned = ReturnedItem.objects.filter(adjustment=OuterRef("pk"))
    return [
        (
            StockAdjustment.objects.filter(product=product),
            {
                "at": F("created"),
                "by": F("actor"),
                "order": Subquery(returned.values("item__order")),
                "rank": Value(0),
                "number": F("pk"),
            },
        ),
        (
            OrderItem.objects.filter(product=product),
            {
                "at": F("order__created"),
                "reason": Value("sale"),
                "delta": -F("quantity"),
                "note": Value(""),
                "by": Coalesce("order__placed_by", "order__customer"),
                "rank": Value(1),
                "number": F("order_id"),
            },
        ),
        (
            OrderEvent.objects.filter(status=Status.CANCELLED, order__items__product=product),
            {
                "reason": Value("cancelled"),
                "delta": F("order__items__quantity"),
                "rank": Value(2),
                "number": F("pk"),
            },
        ),
    ]


def with_columns(rows, columns):
    return rows.order_by().annotate(**columns).values(*COLUMNS)


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
