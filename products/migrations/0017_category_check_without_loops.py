"""The check of the tree of categories without nested loops.

PostgreSQL chose them by statistics of a time when there were no categories; with a thousand, they
took minutes.
"""

from django.db import migrations

FUNCTION = "products_check_categories()"


def avoid_nested_loops(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER FUNCTION {FUNCTION} SET enable_nestloop = off")


def allow_nested_loops(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER FUNCTION {FUNCTION} RESET enable_nestloop")


class Migration(migrations.Migration):
    dependencies = [("products", "0016_stock_band")]

    operations = [migrations.RunPython(avoid_nested_loops, allow_nested_loops)]
