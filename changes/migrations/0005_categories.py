"""A product that is put into a category, or taken out of one, is `changed`.

On PostgreSQL; `changes.triggers` makes the triggers of SQLite.
"""

from django.db import migrations

TABLE = "products_product_categories"
ROWS = {
    "INSERT": {"new_rows": "NEW"},
    "UPDATE": {"old_rows": "OLD", "new_rows": "NEW"},
    "DELETE": {"old_rows": "OLD"},
}
INSERT = """
        INSERT INTO changes_change (transaction_id, type, object_id, event, at)
        SELECT DISTINCT pg_current_xact_id()::text::bigint, 'product', product_id, 'changed',
            clock_timestamp() FROM {rows};"""
# One for each operation, since its rows have other names.
FUNCTION = """
    CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN {inserts}
        RETURN NULL;
    END $$
"""


def list_statements():
    for operation, rows in ROWS.items():
        function = f"changes_log_category_{operation.lower()}"
        inserts = "".join(INSERT.format(rows=name) for name in rows)
        tables = " ".join(f"{when} TABLE AS {name}" for name, when in rows.items())
        yield FUNCTION.format(function=function, inserts=inserts)
        yield (
            f"CREATE OR REPLACE TRIGGER changes_{operation.lower()} AFTER {operation} ON {TABLE}"
            f" REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )


def create_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement in list_statements():
            schema_editor.execute(statement)


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for operation in ROWS:
            function = f"changes_log_category_{operation.lower()}"
            schema_editor.execute(f"DROP FUNCTION {function}() CASCADE")


class Migration(migrations.Migration):
    dependencies = [
        ("changes", "0004_readers_and_sold_out"),
        ("products", "0012_categories"),
    ]

    operations = [migrations.RunPython(create_triggers, drop_triggers)]
