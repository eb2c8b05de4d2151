"""The cancellations in their order, for the time line of a product's stock."""

from django.db import migrations, models


class AddIndex(migrations.AddIndex):
    """On PostgreSQL while others write."""

    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {self.index.name} ON orders_orderevent (id, order_id)"
            " WHERE status = 'cancelled'"
        )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0009_staff_day_indexes")]

    operations = [
        AddIndex(
            model_name="orderevent",
            index=models.Index(
                condition=models.Q(("status", "cancelled")),
                fields=["id", "order"],
                name="order_event_cancelled",
            ),
        ),
    ]
