"""An index and the validation of a constraint, while others write."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models


class AddUniqueIndex(migrations.AddConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {self.constraint.name}"
            " ON products_stockadjustment (actor_id, idempotency_key)"
            " WHERE idempotency_key IS NOT NULL"
        )


class Validate(ValidateConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("products", "0008_revisions_and_keys")]

    operations = [
        Validate(model_name="stockadjustment", name="stock_adjustment_not_zero"),
        AddUniqueIndex(
            model_name="stockadjustment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key__isnull", False)),
                fields=("actor", "idempotency_key"),
                name="stock_adjustment_idempotency_key_once",
            ),
        ),
    ]
