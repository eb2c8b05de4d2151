"""What answers tell, read in plain SQL into plain rows, which are quicker to build than models."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from products.models import MAX_ID, Product

BINARY = 1  # as psycopg numbers it


def asked(sql, values):
    """The rows, as tuples of what the database's own client makes of them."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.cursor.format = BINARY  # is read in C; Django reads the times of texts in Python
        cursor.execute(sql, values)
        return cursor.fetchall()


def moment(value):
    """With its time zone, which SQLite does not keep."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


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

    currency = Product.currency
    in_stock = Product.in_stock


def product_shown(pk, user):
    """The ProductRecord with this id, or None if there is none that the user may see."""
    rows = pk <= MAX_ID and asked(
        "SELECT id, name, description, sku, price, quantity_in_stock, is_active, created, modified"
        " FROM products_product WHERE id = %s",
        [pk],
    )
    if not rows:
        return None
    *told, created, modified = rows[0]
    product = ProductRecord(*told, moment(created), moment(modified))
    return product if product.is_active or user.is_staff else None
