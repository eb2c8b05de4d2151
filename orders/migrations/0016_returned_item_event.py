"""What came back by which event. Without a foreign key in the database, whose check takes a lock."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0015_bulk_parcels"),
    ]

    operations = [
        migrations.AddField(
            model_name="returneditem",
            name="event",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="orders.orderevent",
            ),
        ),
    ]
