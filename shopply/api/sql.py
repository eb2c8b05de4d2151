"""Rows read and written by SQL text, for the few places where the ORM takes several times as long.

Who uses it names the row of the benchmark that shows it.
"""

from collections import namedtuple
from functools import cache

from django.db import DEFAULT_DB_ALIAS, connections

BINARY = 1  # format of psycopg, which decodes it in C; of text, Django decodes times in Python


@cache
def columns(model):
    """Return the columns of `model` as the functions below want them: `table.id, table.name`.

    Named, since adding a column would break a prepared `SELECT *`.
    """
    table = model._meta.db_table
    return ", ".join(f"{table}.{field.column}" for field in model._meta.concrete_fields)


@cache
def row_class(model):
    return namedtuple(model.__name__, [field.attname for field in model._meta.concrete_fields])


def fetch_rows(model, sql, params=()):
    """Return rows with the attributes of `model`, of a statement that reads its `columns`.

    Named tuples on PostgreSQL: instances take three times as long (row "own orders, 25").
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return list(model.objects.raw(sql, params))
    with connection.cursor() as cursor:
        cursor.cursor.format = BINARY
        cursor.execute(sql, params)
        return [*map(row_class(model)._make, cursor.fetchall())]


def fetch(model, sql, params=()):
    """Return instances of `model`, of a statement that reads its `columns`.

    The same as `model.objects.raw(sql, params)`, at a third of its cost (row "product").
    """
    rows = fetch_rows(model, sql, params)
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return rows
    return [model.from_db(DEFAULT_DB_ALIAS, row._fields, row) for row in rows]


def insert(parent, children, foreign_key):
    """Insert an unsaved instance, and unsaved ones that refer to it by the field `foreign_key`.

    `parent` gets its primary key; those of the children are not read. As `save` and `bulk_create`,
    at a third of their cost (row "place an order, 3 lines"): one statement on PostgreSQL, two on
    SQLite, which cannot insert into two tables in one.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    key = children[0]._meta.get_field(foreign_key)
    fields = [field for field in parent._meta.concrete_fields if not field.primary_key]
    child_fields = [
        field
        for field in children[0]._meta.concrete_fields
        if not field.primary_key and field is not key
    ]
    insert_parent = (
        f"INSERT INTO {parent._meta.db_table} ({names(fields)})"  # noqa: S608
        f" VALUES ({placeholders(fields)}) RETURNING {parent._meta.pk.column}"
    )
    insert_children = (
        f"INSERT INTO {key.model._meta.db_table} ({key.column}, {names(child_fields)})"  # noqa: S608
        f" SELECT parent.*, child.* FROM {{parent}} AS parent,"
        f" (VALUES {', '.join([f'({placeholders(child_fields)})'] * len(children))}) AS child"
        f" RETURNING {key.column}"
    )
    parent_values = values(parent, fields, connection)
    child_values = [value for each in children for value in values(each, child_fields, connection)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sql = f"WITH inserted AS ({insert_parent}) {insert_children.format(parent='inserted')}"
            cursor.execute(sql, [*parent_values, *child_values])
        else:
            cursor.execute(insert_parent, parent_values)
            (pk,) = cursor.fetchone()
            cursor.execute(insert_children.format(parent="(SELECT %s)"), [pk, *child_values])
        parent.pk = cursor.fetchone()[0]
    parent._state.adding = False


def names(fields):
    return ", ".join(field.column for field in fields)


def values(instance, fields, connection):
    return [
        field.get_db_prep_save(getattr(instance, field.attname), connection) for field in fields
    ]


def placeholders(values):
    """Return `%s, %s` for two values."""
    return ", ".join(["%s"] * len(values))
