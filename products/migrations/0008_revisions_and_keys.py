"""Revisions of products for If-Match, and idempotency keys of stock adjustments."""

import django.utils.timezone
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class RemoveCheck(migrations.RemoveConstraint):
    """Squawk would object that programs may rely on the constraint: another takes its place."""

    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            "-- squawk-ignore ban-drop-constraint\n"
            f"ALTER TABLE products_stockadjustment DROP CONSTRAINT {self.name}"
        )


class AddCheck(AddConstraintNotValid):
    """On PostgreSQL without reading the rows, which the next migration does."""

    def database_forwards(self, app_label, schema_editor, *states):
        plain = schema_editor.connection.vendor == "sqlite"
        how = migrations.AddConstraint if plain else AddConstraintNotValid
        how.database_forwards(self, app_label, schema_editor, *states)


class Migration(migrations.Migration):
    dependencies = [("products", "0007_plainer_labels")]

    operations = [
        migrations.AlterField(
            model_name="product",
            name="created",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AlterField(
            model_name="product",
            name="modified",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AddField(
            model_name="product",
            name="revision",
            field=models.IntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AddField(
            model_name="stockadjustment",
            name="quantity_in_stock",
            field=models.IntegerField(editable=False, null=True, verbose_name="stock afterwards"),
        ),
        migrations.AddField(
            model_name="stockadjustment",
            name="idempotency_key",
            field=models.CharField(editable=False, max_length=255, null=True),
        ),
        migrations.AddField(
            model_name="stockadjustment",
            name="fingerprint",
            field=models.CharField(db_default="", default="", editable=False, max_length=64),
        ),
        RemoveCheck(model_name="stockadjustment", name="stock_adjustment_not_zero"),
        AddCheck(
            model_name="stockadjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("delta", 0), _negated=True) | models.Q(("reason", "opening")),
                name="stock_adjustment_not_zero",
                violation_error_message="Must not be 0.",
            ),
        ),
    ]
