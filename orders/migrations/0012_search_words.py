"""Writes the words of all orders, and indexes them, while the shop goes on.

It may be stopped and run again. Servers of the release before write no words:
`python manage.py index_orders` does so once they are gone.
"""

from django.db import migrations

# Words of new orders wait in a list, which is merged into the index when it has 1 MB: the order that
# fills it waits for that. 1 MB takes some 20 ms, PostgreSQL's 4 MB would take 100 ms.
INDEX = """
    CREATE INDEX CONCURRENTLY order_search ON orders_searchentry USING gin (words)
    WITH (gin_pending_list_limit = 1024)
"""


def write_words(apps, schema_editor):
    entries = apps.get_model("orders", "SearchEntry").objects
    entries.write_missing(apps.get_model("orders", "Order").objects.all())


def index_words(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS order_search")  # of a run that was stopped
        schema_editor.execute(INDEX)
        schema_editor.execute("ANALYZE orders_searchentry")


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS order_search")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0011_search_entry")]

    operations = [
        migrations.RunPython(write_words, migrations.RunPython.noop),
        migrations.RunPython(index_words, drop_index),
    ]
