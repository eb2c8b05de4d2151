"""Rows of orders written by SQL text, where the ORM takes several times as long."""

from django.db import DEFAULT_DB_ALIAS, connections

from shopply.api.sql import placeholders


def insert(instances):
    """Insert unsaved instances of one model, which get their primary keys.

    The same as `bulk_create`, at half of its cost (row "place an order, 3 lines").
    """
    connection, meta = connections[DEFAULT_DB_ALIAS], instances[0]._meta
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    names = ", ".join(field.column for field in fields)
    rows = ", ".join([f"({placeholders(fields)})"] * len(instances))
    sql = f"INSERT INTO {meta.db_table} ({names}) VALUES {rows} RETURNING {meta.pk.column}"  # noqa: S608
    values = [
        field.get_db_prep_save(getattr(instance, field.attname), connection)
        for instance in instances
        for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for instance, (pk,) in zip(instances, cursor.fetchall(), strict=True):
            instance.pk = pk
            instance._state.adding = False
