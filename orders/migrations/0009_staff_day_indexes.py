"""Indexes and the validation of a constraint, while others write."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models


class AddIndex(migrations.AddIndex):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {self.index.name} ON orders_orderevent (order_id, id)"
        )


class AddUniqueIndex(migrations.AddConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {self.constraint.name}"
            " ON orders_orderevent (order_id) WHERE status = 'cancelled'"
        )


class Validate(ValidateConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0008_staff_day")]

    operations = [
        Validate(model_name="orderitem", name="order_item_returned_at_most_sold"),
        AddIndex(
            model_name="orderevent",
            index=models.Index(fields=["order", "id"], name="order_event_by_order"),
        ),
        AddUniqueIndex(
            model_name="orderevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "cancelled")),
                fields=("order",),
                name="order_event_cancelled_once",
            ),
        ),
    ]
