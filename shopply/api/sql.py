"""Rows read by SQL text, for the few places where the ORM takes several times as long.

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


def fetch_rows(model, sql, params=(), cursor=None):
    """Return rows with the attributes of `model`, of a statement that reads its `columns`.

    Named tuples on PostgreSQL: instances take three times as long (row "own orders, 25"). Several
    statements may share a `cursor`: making one takes as long as a statement.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return list(model.objects.raw(sql, params))
    if cursor is None:
        with connection.cursor() as cursor:
            return fetch_rows(model, sql, params, cursor)
    cursor.cursor.format = BINARY
    cursor.execute(sql, params)
    return [*map(row_class(model)._make, cursor.fetchall())]


def fetch(model, sql, params=(), cursor=None):
    """Return instances of `model`, of a statement that reads its `columns`.

    The same as `model.objects.raw(sql, params)`, at a third of its cost (row "product").
    """
    rows = fetch_rows(model, sql, params, cursor)
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return rows
    return [model.from_db(DEFAULT_DB_ALIAS, row._fields, row) for row in rows]


def placeholders(values):
    """Return `%s, %s` for two values."""
    return ", ".join(["%s"] * len(values))
