"""Reading rows by SQL text, where the ORM takes several times as long.

Callers name the row of the benchmark that shows it.
"""

from collections import namedtuple
from functools import cache

from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

BINARY = 1  # psycopg decodes this format in C; of text, Django decodes times in Python


@cache
def columns(model):
    """Return the columns of `model` for a SELECT of the functions below: `table.id, table.name`.

    Named, since a new column would break a prepared `SELECT *`.
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
    return [*map(row_class(model)._make, execute(sql, params))]


def fetch(model, sql, params=()):
    """Return instances of `model`, of a statement that reads its `columns`.

    The same as `model.objects.raw(sql, params)`, at a third of its cost (row "product").
    """
    rows = fetch_rows(model, sql, params)
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return rows
    return [instantiate(model, row) for row in rows]


def fetch_with_children(model, tail, params, *children):
    """Return instances of `SELECT ... FROM model <tail>`, and rows of children that refer to them.

    A list for the model and one for each of `children`, each ordered by id. On PostgreSQL only: one
    statement instead of one for each model (row "own orders, 5": a tenth more).
    """
    sql = select_with_children(model, *children).format(tail=tail)
    rows, lists, start = execute(sql, params), [], 0
    for row_model in (model, *children):
        stop, make = start + len(row_model._meta.concrete_fields), row_class(row_model)._make
        lists.append([make(row[start:stop]) for row in rows if row[start] is not None])
        start = stop
    return [instantiate(model, row) for row in lists[0]], *lists[1:]


@cache
def select_with_children(parent, *children):
    """Return a UNION whose rows have the columns of one of the models, and nulls for the others."""
    models, selects = (parent, *children), []
    widths = [len(model._meta.concrete_fields) for model in models]
    ids = [1 + sum(widths[:index]) for index in range(len(models))]  # positions in a row
    for model in models:
        table = model._meta.db_table
        source, own = "parent", "parent.*"
        if model is not parent:
            (key,) = (field.column for field in model._meta.fields if field.related_model is parent)
            source, own = f"{table} JOIN parent ON parent.id = {table}.{key}", columns(model)
        lists = [own if other is model else nulls(other) for other in models]
        selects.append(f"SELECT {', '.join(lists)} FROM {source}")  # noqa: S608
    return (
        f"WITH parent AS (SELECT {columns(parent)} FROM {parent._meta.db_table} {{tail}})"  # noqa: S608
        f" {' UNION ALL '.join(selects)} ORDER BY {', '.join(map(str, ids))}"
    )


def nulls(model):
    connection = connections[DEFAULT_DB_ALIAS]
    fields = model._meta.concrete_fields
    return ", ".join(f"NULL::{field.cast_db_type(connection)}" for field in fields)


def instantiate(model, row):
    return model.from_db(DEFAULT_DB_ALIAS, row._fields, row)


def read_clock():
    """Return the time now, by the clock of the database, which all servers share.

    Read it when the locks of a change are held: a time from before the wait could be earlier than
    that of a change which a client has seen already.
    """
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return timezone.now()  # the database runs in this process
    return execute("SELECT clock_timestamp()", ())[0][0]


def execute(sql, params):
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.cursor.format = BINARY
        cursor.execute(sql, params)
        return cursor.fetchall()


def placeholders(values):
    """Return `%s, %s` for two values."""
    return ", ".join(["%s"] * len(values))
