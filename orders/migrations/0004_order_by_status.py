from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class AddIndex(AddIndexConcurrently):
    """While others write; on SQLite, which has no such thing, in a moment."""

    def database_forwards(self, app_label, schema_editor, *states):
        plain = schema_editor.connection.vendor == "sqlite"
        how = migrations.AddIndex if plain else AddIndexConcurrently
        how.database_forwards(self, app_label, schema_editor, *states)

    def database_backwards(self, app_label, schema_editor, *states):
        plain = schema_editor.connection.vendor == "sqlite"
        how = migrations.AddIndex if plain else AddIndexConcurrently
        how.database_backwards(self, app_label, schema_editor, *states)


class Migration(migrations.Migration):
    """For staff, who look for the few orders in a state among all there ever were."""

    atomic = False
    dependencies = [("orders", "0003_open_the_books")]
    operations = [
        AddIndex("order", models.Index(fields=["status", "-id"], name="order_by_status")),
    ]
