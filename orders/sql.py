"""Writing an order by SQL text, in as few statements as possible."""

from functools import cache, lru_cache

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from orders.search import SearchEntry, order_words
from shopply.api.sql import placeholders

# One row with the time, if the customer is active. The lock lets either a closing account wait and
# then see this order, or this wait and then see the account closed. (SQLite's transactions lock the
# database, and it has the clock of this process.) The clock is read once the lock is held, as
# `shopply.api.sql.read_clock` says.
CLOCK = {
    "postgresql": """
        SELECT clock_timestamp() AS now
        FROM (SELECT id FROM {customers} WHERE id = %s AND is_active FOR SHARE) AS customer
    """,
    "sqlite": "SELECT %s AS now FROM {customers} WHERE id = %s AND is_active",
}
# The words of an order, and that of its number, which the database gives.
INSERT_WORDS = {
    "postgresql": """
        INSERT INTO orders_searchentry (words, order_id)
        SELECT (%s || ' ''#' || id || '''')::tsvector, id FROM written
    """,
    "sqlite": """
        INSERT INTO orders_searchentry (words, order_id)
        SELECT %s || '#' || id || ' ', id FROM (SELECT %s AS id)
    """,
}
STAMPS = ("created", "modified")
WORDS = SearchEntry._meta.get_field("words")


def insert_order(order, items):
    """Insert an unsaved order with its unsaved items and its words, if its customer is active.

    Returns whether it was inserted. The order gets its primary key and time, the items do not.
    Costs a third of `save` and `bulk_create` (row "place an order, 3 lines"): one statement on
    PostgreSQL, three on SQLite, which cannot insert into several tables in one.
    """
    order_fields, item_fields = list_fields(type(order), type(items[0]))
    order_values = values(order, order_fields)
    item_values = [value for item in items for value in values(item, item_fields)]
    words = WORDS.get_db_prep_save(order_words(order, items), connection)
    insert, insert_items, insert_words = statements(type(order), type(items[0]), len(items))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"WITH written AS ({insert}), written_items AS ({insert_items}),"  # noqa: S608
                f" written_words AS ({insert_words}) SELECT id, created FROM written",
                [*order_values, order.customer_id, *item_values, words],
            )
            row = cursor.fetchone()
        else:
            now = timezone.now()
            stamp = connection.ops.adapt_datetimefield_value(now)
            cursor.execute(insert, [*order_values, stamp, order.customer_id])
            row = cursor.fetchone()
            if row:
                row = row[0], now
                cursor.execute(insert_items, [row[0], *item_values])
                cursor.execute(insert_words, [words, row[0]])
    if row:
        order.pk, order.created = row
        order.modified = order.created
        order._state.adding = False
    return bool(row)


@lru_cache(100)
def statements(order_model, item_model, item_count):
    """Return the texts that insert an order, its items and its words."""
    order_fields, item_fields = list_fields(order_model, item_model)
    clock = CLOCK[connection.vendor].format(customers=get_user_model()._meta.db_table)
    inserted = {"postgresql": "(SELECT id FROM written)", "sqlite": "(SELECT %s)"}
    return (
        f"INSERT INTO orders_order ({names(order_fields)}, {', '.join(STAMPS)})"  # noqa: S608
        f" SELECT {placeholders(order_fields)}, now, now FROM ({clock}) AS clock"
        f" RETURNING id, created",
        f"INSERT INTO orders_orderitem (order_id, {names(item_fields)})"  # noqa: S608
        f" SELECT inserted.*, item.* FROM {inserted[connection.vendor]} AS inserted,"
        f" (VALUES {', '.join([f'({placeholders(item_fields)})'] * item_count)}) AS item",
        INSERT_WORDS[connection.vendor],
    )


@cache
def list_fields(order_model, item_model):
    """Return the fields to insert of each: without primary keys, and what the statements add."""
    return (
        insertable_fields(order_model, STAMPS),
        insertable_fields(item_model, ("order",)),
    )


def insertable_fields(model, omitted):
    fields = model._meta.concrete_fields
    return [field for field in fields if not field.primary_key and field.name not in omitted]


def names(fields):
    return ", ".join(field.column for field in fields)


def values(instance, fields):
    return [
        field.get_db_prep_save(getattr(instance, field.attname), connection) for field in fields
    ]
