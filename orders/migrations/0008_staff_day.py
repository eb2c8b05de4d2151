"""What staff note, ship and take back: columns with defaults, so that servers go on meanwhile."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

ACTIONS = [
    ("place", "Placed"),
    ("confirm", "Confirmed"),
    ("ship", "Shipped"),
    ("deliver", "Delivered"),
    ("cancel", "Cancelled"),
    ("undo", "Undone"),
    ("correct_address", "Address corrected"),
    ("return", "Returned"),
]


class AddCheck(AddConstraintNotValid):
    """On PostgreSQL without reading the rows, which the next migration does."""

    def database_forwards(self, app_label, schema_editor, *states):
        plain = schema_editor.connection.vendor == "sqlite"
        how = migrations.AddConstraint if plain else AddConstraintNotValid
        how.database_forwards(self, app_label, schema_editor, *states)


class RemoveOnce(migrations.RemoveConstraint):
    """Squawk would object that programs may rely on the constraint: statuses can be undone now."""

    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            "-- squawk-ignore ban-drop-constraint\n"
            f"ALTER TABLE orders_orderevent DROP CONSTRAINT {self.name}"
        )


class AllowNull(migrations.AlterField):
    """Squawk would object that programs may rely on a value: those of before copy the null."""

    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            "-- squawk-ignore ban-drop-not-null\n"
            "ALTER TABLE orders_orderevent ALTER COLUMN by_id DROP NOT NULL"
        )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("orders", "0007_money_of_three_places"),
        ("products", "0010_price_of_three_places"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="staff_note",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="For the shop's staff. Customers see it only in an export of their data.",
                max_length=2000,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="carrier",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="order",
            name="tracking_number",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="orderitem",
            name="returned",
            field=models.PositiveIntegerField(
                db_default=0, default=0, editable=False, help_text="How many pieces came back."
            ),
        ),
        AddCheck(
            model_name="orderitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("returned__gte", 0), ("returned__lte", models.F("quantity"))),
                name="order_item_returned_at_most_sold",
            ),
        ),
        RemoveOnce(model_name="orderevent", name="order_event_once"),
        migrations.AddField(
            model_name="orderevent",
            name="action",
            field=models.CharField(
                blank=True, choices=ACTIONS, db_default="", default="", max_length=15
            ),
        ),
        migrations.AddField(
            model_name="orderevent",
            name="shipping_address",
            field=models.JSONField(help_text="The address before it was corrected.", null=True),
        ),
        AllowNull(
            model_name="orderevent",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="ReturnedItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="returns",
                        to="orders.orderitem",
                    ),
                ),
                (
                    "adjustment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="products.stockadjustment",
                    ),
                ),
            ],
            options={"ordering": ("pk",)},
        ),
    ]
