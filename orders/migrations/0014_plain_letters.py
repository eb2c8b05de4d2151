"""Writes the words of orders anew in which `ø` was not yet `o`, and so on, while the shop goes on.

It may be stopped and run again, and `python manage.py index_orders` does the same.
"""

from django.db import migrations


def write_plain_letters(apps, schema_editor):
    entries = apps.get_model("orders", "SearchEntry").objects
    entries.write_outdated(apps.get_model("orders", "Order").objects.all())


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0013_bulk_transitions")]

    operations = [migrations.RunPython(write_plain_letters, migrations.RunPython.noop)]
