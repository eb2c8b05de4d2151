"""The triggers of PostgreSQL that write changes; `changes.triggers` makes those of SQLite.

A trigger per statement and not per row: three items of an order cost little more than one.
"""

from django.db import migrations, transaction

# By table: the type, what an INSERT is, and what an UPDATE is, row by row. A column that is added
# later counts as `changed` by itself. Sales and adjustments write nothing but the stock, so they are
# spared the comparison, a third of their cost.
TABLES = {
    "products_product": (
        "product",
        "created",
        """
        CASE WHEN new_row.quantity_in_stock <> old_row.quantity_in_stock THEN 'stock' END,
        CASE WHEN new_row.price <> old_row.price THEN 'price' END,
        CASE WHEN old_row.is_active AND NOT new_row.is_active THEN 'retired' END,
        CASE WHEN new_row.is_active AND NOT old_row.is_active
            OR new_row.quantity_in_stock = old_row.quantity_in_stock
            AND to_jsonb(new_row) - unreported <> to_jsonb(old_row) - unreported THEN 'changed' END
        """,
        "quantity_in_stock, price, is_active, modified, revision, search_text, sold_out",
    ),
    "orders_order": (
        "order",
        "placed",
        """
        CASE WHEN new_row.status <> old_row.status THEN new_row.status END,
        CASE WHEN to_jsonb(new_row) - unreported <> to_jsonb(old_row) - unreported
            THEN 'changed' END
        """,
        "status, modified",
    ),
    "customers_customer": (
        "customer",
        "created",
        """
        CASE WHEN old_row.closed IS NULL AND new_row.closed IS NOT NULL THEN 'closed'
            WHEN to_jsonb(new_row) - unreported <> to_jsonb(old_row) - unreported
            THEN 'changed' END
        """,
        "password, last_login",
    ),
}
INSERT = """
        INSERT INTO changes_change (transaction_id, type, object_id, event, at)
        SELECT pg_current_xact_id()::text::bigint, '{type}', id, {event}, clock_timestamp()"""
# PostgreSQL keeps the plan of the first, small statement: with nested loops, a later one that
# changes all products would compare each with all others.
FUNCTION = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off AS $$
DECLARE
    unreported CONSTANT text[] := '{{{unreported}}}';
BEGIN
    IF TG_OP = 'INSERT' THEN {inserted} FROM new_rows;
    ELSIF TG_OP = 'DELETE' THEN {deleted} FROM old_rows;
    ELSE {updated} FROM old_rows AS old_row JOIN new_rows AS new_row USING (id);
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}


def list_statements(table, tables=TABLES):
    """Yield the SQL of the function and the triggers of this table."""
    object_type, inserted, updated, unreported = tables[table]
    events = {
        "inserted": f"'{inserted}'",
        "deleted": "'deleted'",
        "updated": f"unnest(array_remove(ARRAY[{updated}], NULL))",
    }
    function = f"changes_log_{object_type}"
    yield FUNCTION.format(
        function=function,
        unreported=unreported,
        **{name: INSERT.format(type=object_type, event=event) for name, event in events.items()},
    )
    for operation, transition_tables in TRIGGERS.items():
        yield (
            f"CREATE OR REPLACE TRIGGER changes_{operation.lower()} AFTER {operation} ON {table}"
            f" REFERENCING {transition_tables} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )


def create_triggers(apps, schema_editor):
    """One table at a time, so that none stays locked; it may be run again."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in TABLES:
        with transaction.atomic():
            for statement in list_statements(table):
                schema_editor.execute(statement)


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, (object_type, *_) in TABLES.items():
        with transaction.atomic():
            for operation in TRIGGERS:
                schema_editor.execute(f"DROP TRIGGER changes_{operation.lower()} ON {table}")
            schema_editor.execute(f"DROP FUNCTION changes_log_{object_type}()")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("changes", "0001_initial"),
        ("customers", "0002_tokens_limits_and_closing"),
        ("orders", "0005_item_without_sku"),
        ("products", "0007_plainer_labels"),
    ]

    operations = [migrations.RunPython(create_triggers, drop_triggers)]
