"""Adding a generated column rewrites the table, which keeps servers waiting: stop them first."""

from django.db import migrations, models

BANDS = (5, 10, 20, 50, 100, 200, 500, 1000)


def lift_timeout(apps, schema_editor):
    """A million rows take longer than a statement of the shop may."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET LOCAL statement_timeout = 0")


class Migration(migrations.Migration):
    dependencies = [("products", "0015_gtin_once")]

    operations = [
        migrations.RunPython(lift_timeout, migrations.RunPython.noop),
        migrations.AddField(
            model_name="product",
            name="stock_band",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(quantity_in_stock__lte=models.F("low_stock_at"), then=0),
                    models.When(low_stock_at__isnull=False, then=None),
                    *(models.When(quantity_in_stock__lte=limit, then=limit) for limit in BANDS),
                    default=None,
                ),
                output_field=models.SmallIntegerField(null=True),
            ),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(
                condition=models.Q(("stock_band__isnull", False)),
                fields=["stock_band", "id"],
                name="product_by_stock_band",
            ),
        ),
    ]
