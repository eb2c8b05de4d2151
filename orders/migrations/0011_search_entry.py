import django.db.models.deletion
from django.db import migrations, models

import orders.search


class Migration(migrations.Migration):
    """An empty table, which the next migration fills."""

    dependencies = [("orders", "0010_cancelled_events_index")]

    operations = [
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="search_entry",
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                ("words", orders.search.WordsField()),
            ],
            options={"default_permissions": ()},
            managers=[("objects", orders.search.SearchEntryManager())],
        ),
    ]
