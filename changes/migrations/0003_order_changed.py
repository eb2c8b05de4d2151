"""An order whose status stays, such as one of which something came back, is `changed`.

A move is one change only: a shipped order also has another tracking number.
"""

from importlib import import_module

from django.db import migrations

TRIGGERS = import_module("changes.migrations.0002_triggers")
UPDATED = """
        CASE WHEN new_row.status <> old_row.status THEN new_row.status
            WHEN to_jsonb(new_row) <> to_jsonb(old_row) THEN 'changed' END
        """


def replace_function(schema_editor, updated, unreported):
    if schema_editor.connection.vendor == "postgresql":
        function, *_ = TRIGGERS.list_statements(
            "orders_order", {"orders_order": ("order", "placed", updated, unreported)}
        )
        schema_editor.execute(function)


def forwards(apps, schema_editor):
    replace_function(schema_editor, UPDATED, "")


def backwards(apps, schema_editor):
    *_, updated, unreported = TRIGGERS.TABLES["orders_order"]
    replace_function(schema_editor, updated, unreported)


class Migration(migrations.Migration):
    dependencies = [("changes", "0002_triggers")]

    operations = [migrations.RunPython(forwards, backwards)]
