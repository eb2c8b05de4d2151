"""An index and the validation of constraints, while others write."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models
from django.db.models.functions import Cast


class AddUniqueIndex(migrations.AddConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {self.constraint.name}"
            " ON products_product ((gtin::bigint))"
        )


class Validate(ValidateConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("products", "0014_gtin_and_low_stock_at")]

    operations = [
        Validate(model_name="product", name="product_gtin_digits"),
        Validate(model_name="product", name="product_low_stock_at_not_negative"),
        AddUniqueIndex(
            model_name="product",
            constraint=models.UniqueConstraint(
                Cast("gtin", models.BigIntegerField()),
                name="product_gtin_once",
                violation_error_message="Another product has this GTIN.",
            ),
        ),
    ]
