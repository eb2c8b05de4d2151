import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "transaction_id",
                    models.BigIntegerField(help_text="Of PostgreSQL; 0 on SQLite."),
                ),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("product", "Product"),
                            ("order", "Order"),
                            ("customer", "Customer"),
                        ],
                        max_length=8,
                    ),
                ),
                ("object_id", models.BigIntegerField()),
                (
                    "event",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("changed", "Changed"),
                            ("deleted", "Deleted"),
                            ("stock", "Stock"),
                            ("price", "Price"),
                            ("retired", "Retired"),
                            ("placed", "Placed"),
                            ("confirmed", "Confirmed"),
                            ("shipped", "Shipped"),
                            ("delivered", "Delivered"),
                            ("cancelled", "Cancelled"),
                            ("closed", "Closed"),
                        ],
                        max_length=9,
                    ),
                ),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["transaction_id", "id"], name="change_by_commit")],
            },
        ),
        migrations.CreateModel(
            name="Feed",
            fields=[
                (
                    "database",
                    models.CharField(max_length=100, primary_key=True, serialize=False),
                ),
                ("epoch", models.UUIDField(default=uuid.uuid4)),
                ("removed_transaction_id", models.BigIntegerField(default=0)),
                ("removed_id", models.BigIntegerField(default=0)),
            ],
        ),
    ]
