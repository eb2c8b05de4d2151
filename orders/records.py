"""Orders as lists and exports tell them: read in plain SQL into plain rows.

The ORM takes four times as long, to build its queries and an instance for each row.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from products.records import asked, moment, places


class LineRecord(NamedTuple):
    product_id: int
    name: str
    sku: str
    unit_price: Decimal
    quantity: int
    line_total: Decimal

    @classmethod
    def copy_of(cls, product, quantity):
        return cls(
            product.pk,
            product.name,
            product.sku,
            product.price,
            quantity,
            product.price * quantity,
        )


class EventRecord(NamedTuple):
    status: str
    at: datetime
    by_id: int
    note: str


class OrderRecord(NamedTuple):
    pk: int
    status: str
    customer_id: int
    total_price: Decimal
    currency: str
    shipping_address: dict
    created: datetime
    modified: datetime
    lines: list[LineRecord]
    history: list[EventRecord]


@dataclass(frozen=True)
class Records:
    """The orders that a condition in SQL holds for; `values` go where it has `%s`."""

    condition: str
    values: tuple

    @classmethod
    def of(cls, customer_id):
        return cls("customer_id = %s", (customer_id,))

    @classmethod
    def shown(cls, pk, user):
        """The one with this id, if the user may see it."""
        if user.is_staff:
            return cls("id = %s", (pk,))
        return cls("id = %s AND customer_id = %s", (pk, user.pk))

    def __iter__(self):
        """All of them, newest first."""
        page = self.page(100)
        while page:
            yield from page
            page = self.page(100, before=page[-1].pk)

    def page(self, most, before=None, after=None):
        """At most so many, newest first: the newest, those next before or next after an id."""
        condition, values, order = self.condition, self.values, "DESC"
        if before is not None:
            condition, values = f"{condition} AND id < %s", (*values, before)
        if after is not None:
            condition, values, order = f"{condition} AND id > %s", (*values, after), "ASC"
        rows = asked(
            "SELECT id, status, customer_id, total_price, currency, shipping_address, created,"  # noqa: S608  no value is in the text
            f" modified FROM orders_order WHERE {condition} ORDER BY id {order} LIMIT %s",
            (*values, most),
        )
        return whole(rows if order == "DESC" else rows[::-1])


class Found:
    """The orders of a queryset, in pages as those of Records are."""

    def __init__(self, orders):
        self.orders = orders

    def page(self, most, before=None, after=None):
        orders = self.orders.order_by("-pk" if after is None else "pk")
        if before is not None:
            orders = orders.filter(pk__lt=before)
        if after is not None:
            orders = orders.filter(pk__gt=after)
        # Ids first: a condition that holds the queryset has all of it read, however far down.
        ids = tuple(orders.values_list("pk", flat=True)[:most])
        return Records(f"id IN ({places(ids)})", ids).page(most) if ids else []


def whole(rows):
    """The OrderRecords of these rows, with their lines and events, in two queries."""
    if not rows:
        return []
    ids, lines, events = [row[0] for row in rows], defaultdict(list), defaultdict(list)
    for order_id, *line in asked(
        "SELECT order_id, product_id, name, sku, unit_price, quantity, line_total"  # noqa: S608
        f" FROM orders_orderitem WHERE order_id IN ({places(ids)}) ORDER BY id",
        ids,
    ):
        lines[order_id].append(LineRecord._make(line))
    for order_id, status, at, by, note in asked(
        "SELECT order_id, status, at, by_id, note"  # noqa: S608
        f" FROM orders_orderevent WHERE order_id IN ({places(ids)}) ORDER BY id",
        ids,
    ):
        events[order_id].append(EventRecord(status, moment(at), by, note))
    return [
        OrderRecord(
            pk,
            *told,
            address if isinstance(address, dict) else json.loads(address),  # SQLite has it as text
            moment(created),
            moment(modified),
            lines[pk],
            events[pk],
        )
        for pk, *told, address, created, modified in rows
    ]


def write(order, event):
    """Insert a new Order, which gets its id, with its `lines` and an EventRecord."""
    at = connection.ops.adapt_datetimefield_value(order.created)
    ((order.pk,),) = asked(
        "INSERT INTO orders_order (customer_id, status, total_price, currency, shipping_address,"
        " idempotency_key, fingerprint, created, modified)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(order.customer_id, order.status, order.total_price, order.currency),
            *(json.dumps(order.shipping_address), order.idempotency_key, order.fingerprint, at, at),
        ],
    )
    order._state.adding = False
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(order.lines))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_orderitem"  # noqa: S608
            f" (order_id, product_id, name, sku, unit_price, quantity, line_total) VALUES {rows}",
            [value for line in order.lines for value in (order.pk, *line)],
        )
        cursor.execute(
            "INSERT INTO orders_orderevent (order_id, status, at, by_id, note)"
            " VALUES (%s, %s, %s, %s, %s)",
            [order.pk, event.status, at, event.by_id, event.note],
        )
