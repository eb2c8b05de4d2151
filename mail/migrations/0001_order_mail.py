"""Order mails. Without foreign keys in the database, for which each order would wait."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("orders", "0016_returned_item_event"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderMail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        choices=[
                            ("order_placed", "Order placed"),
                            ("order_shipped", "Order shipped"),
                            ("order_cancelled", "Order cancelled"),
                            ("order_returned", "Items returned"),
                        ],
                        max_length=20,
                        verbose_name="mail",
                    ),
                ),
                ("message_id", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "sent",
                    models.DateTimeField(
                        help_text="Empty while it waits, and if it was not wanted any more.",
                        null=True,
                    ),
                ),
                (
                    "event",
                    models.OneToOneField(
                        db_constraint=False,
                        help_text="Null if the order was placed, which has no row.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mail",
                        to="orders.orderevent",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mails",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "ordering": ("-pk",),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("event__isnull", True)),
                        fields=("order",),
                        name="order_mail_placed_once",
                    )
                ],
            },
        ),
    ]
