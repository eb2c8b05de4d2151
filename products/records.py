"""What answers tell and orders copy, read in plain SQL into plain rows.

The ORM takes several times as long, to build its queries and an instance for each row.
"""

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import connection

MAX_ID = 2**63 - 1
BINARY = 1  # as psycopg numbers it


class Kept(threading.local):
    """A thread's cursor: to open one for each statement takes a quarter of its time."""

    cursor = of = None


kept = Kept()


def asked(sql, values):
    """The rows, as tuples of what the database's own client makes of them."""
    connection.ensure_connection()
    now = connection.connection, connection.queries_logged
    if kept.of != now:
        kept.cursor, kept.of = connection.cursor(), now
        if connection.vendor == "postgresql":
            kept.cursor.cursor.format = BINARY  # is read in C; Django reads times as text in Python
    kept.cursor.execute(sql, values)
    return kept.cursor.fetchall()


def places(values):
    return ", ".join(["%s"] * len(values))


def moment(value):
    """With its time zone, which SQLite does not keep."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def money(value):
    """As a decimal; SQLite has a number of 15 digits."""
    return value if isinstance(value, Decimal) else Decimal(f"{value:.2f}")


def as_text(amount):
    """The SQL of an amount as answers tell it: to have Python write it takes as long as to read."""
    return {"postgresql": "CAST({} AS text)", "sqlite": "printf('%%.2f', {})"}[
        connection.vendor
    ].format(amount)


class ProductRecord(NamedTuple):
    pk: int
    name: str
    description: str
    sku: str
    price: Decimal
    quantity_in_stock: int
    is_active: bool
    created: datetime
    modified: datetime

    @property
    def currency(self):
        return settings.SHOP_CURRENCY

    @property
    def in_stock(self):
        return self.quantity_in_stock > 0

    @property
    def available(self):
        """How many can be ordered now: none of a retired product."""
        return self.quantity_in_stock if self.is_active else 0


COLUMNS = "id, name, description, sku, price, quantity_in_stock, is_active, created, modified"


def product_records(ids, *, locked=False):
    """`{id: ProductRecord}` of those there are, in the order of their ids.

    Locked, no other transaction changes them before this one ends. Two takers of the same rows
    queue up, since both go by the ids, instead of each waiting for the other. (SQLite has no row
    locks: its transactions begin by locking the database.)
    """
    ids = [pk for pk in ids if pk <= MAX_ID]
    if not ids:
        return {}
    lock = "FOR NO KEY UPDATE" if locked and connection.features.has_select_for_update else ""
    found = f"FROM products_product WHERE id IN ({places(ids)}) ORDER BY id {lock}"
    return {row[0]: record(*row) for row in asked(f"SELECT {COLUMNS} {found}", ids)}  # noqa: S608


def product_records_of(edition, ids):
    """The same, or None if the catalogue is another edition by now (migration `0004_census`).

    One statement reads both, so that no change can come between them.
    """
    rows = asked(
        f"SELECT (SELECT edition FROM products_census), {COLUMNS}"  # noqa: S608
        f" FROM products_product WHERE id IN ({places(ids)})",
        ids,
    )
    if any(now != edition for now, *_ in rows) or len(rows) < len(ids):
        return None
    return {row[1]: record(*row[1:]) for row in rows}


# What takes products out of stock, all or none, in the statement of PostgreSQL that also records
# where they went; rows are locked in the order of their ids, as above, also if some are short.
TAKEN = """
wanted AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS wanted (pk, n, place)
), found AS (
    SELECT pk, n, place, price * n AS total, is_active AND quantity_in_stock >= n AS enough
    FROM products_product AS product JOIN wanted ON id = pk
    ORDER BY pk FOR NO KEY UPDATE OF product
), taken AS (
    UPDATE products_product SET modified = %s, quantity_in_stock = quantity_in_stock - n
    FROM found WHERE id = pk AND (
        SELECT count(*) FILTER (WHERE enough) = %s AND sum(total) BETWEEN %s AND %s FROM found
    )
    RETURNING id, name, sku, price, n, total, place
)
"""


def values_of_taken(quantities, at, lowest, highest):
    """Those of TAKEN, for `{id: quantity}`; nothing is taken if its price is out of the bounds."""
    # No product has another id, or as much in stock: then too it is not all that is found.
    wanted = {pk: n for pk, n in quantities.items() if max(pk, n) <= MAX_ID}
    return [[*wanted], [*wanted.values()], at, len(quantities), lowest, highest]


def record(pk, name, description, sku, price, stock, is_active, created, modified):
    times = moment(created), moment(modified)
    return ProductRecord(pk, name, description, sku, money(price), stock, is_active, *times)


def product_shown(pk, user):
    """The ProductRecord with this id, or None if there is none that the user may see."""
    product = product_records([pk]).get(pk)
    return product if product and (product.is_active or user.is_staff) else None
