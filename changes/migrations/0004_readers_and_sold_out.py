"""A change of a product to no stock at all is `sold_out`, beside `stock`. And readers of the feed."""

from importlib import import_module

from django.db import migrations, models

TRIGGERS = import_module("changes.migrations.0002_triggers")
SOLD_OUT = """
        CASE WHEN old_row.quantity_in_stock > 0 AND new_row.quantity_in_stock = 0
            THEN 'sold_out' END,"""
STOCK = "CASE WHEN new_row.quantity_in_stock <> old_row.quantity_in_stock THEN 'stock' END,"


def replace_function(schema_editor, updated):
    if schema_editor.connection.vendor == "postgresql":
        product, created, _, unreported = TRIGGERS.TABLES["products_product"]
        function, *_ = TRIGGERS.list_statements(
            "products_product", {"products_product": (product, created, updated, unreported)}
        )
        schema_editor.execute(function)


def forwards(apps, schema_editor):
    *_, updated, _ = TRIGGERS.TABLES["products_product"]
    replace_function(schema_editor, updated.replace(STOCK, STOCK + SOLD_OUT))


def backwards(apps, schema_editor):
    *_, updated, _ = TRIGGERS.TABLES["products_product"]
    replace_function(schema_editor, updated)


EVENTS = [
    *("created", "changed", "deleted", "stock", "sold_out", "price", "retired", "placed"),
    *("confirmed", "shipped", "delivered", "cancelled", "closed"),
]


class Migration(migrations.Migration):
    dependencies = [("changes", "0003_order_changed")]

    operations = [
        migrations.RunPython(forwards, backwards),
        migrations.AlterField(
            model_name="change",
            name="event",
            field=models.CharField(
                choices=[(event, event.replace("_", " ").title()) for event in EVENTS],
                max_length=9,
            ),
        ),
        migrations.CreateModel(
            name="Reader",
            fields=[
                ("epoch", models.UUIDField(editable=False)),
                ("transaction_id", models.BigIntegerField(editable=False)),
                ("change_id", models.BigIntegerField(editable=False)),
                ("name", models.CharField(max_length=20, primary_key=True, serialize=False)),
            ],
            options={"default_permissions": ()},
        ),
    ]
