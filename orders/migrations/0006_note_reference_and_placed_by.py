"""The servers of the release before would fail at an order without an address: stop them first."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("orders", "0005_item_without_sku"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="order", name="order_idempotency_key_once"),
        migrations.AddField(
            model_name="order",
            name="note",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="What the customer asked for.",
                max_length=500,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="reference",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The customer's own number for the order.",
                max_length=64,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="placed_by",
            field=models.ForeignKey(
                db_index=False,
                help_text="The staff who ordered for the customer. Empty if the customer did.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="shipping_address",
            field=models.JSONField(
                help_text="As it was when the order was placed. "
                "Null if the customer collects the order.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("placed_by__isnull", False)),
                fields=["placed_by"],
                name="order_by_placed_by",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("reference", ""), _negated=True),
                fields=["reference", "-id"],
                name="order_by_reference",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                Coalesce("placed_by", "customer"),
                models.F("idempotency_key"),
                name="order_idempotency_key_once",
            ),
        ),
    ]
