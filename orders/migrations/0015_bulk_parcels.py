"""Parcels of a bulk shipping, and what a bulk transition shows of itself."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0014_plain_letters"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulktransition",
            name="is_cut_short",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="bulktransition",
            name="reported",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="selectedorder",
            name="carrier",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="selectedorder",
            name="tracking_number",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
    ]
