"""GTINs, limits of low stock, and responses to bulk updates."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import products.gtin

GTIN = "\\A([0-9]{8}|[0-9]{12,14})\\Z"


class AddCheck(AddConstraintNotValid):
    """On PostgreSQL without reading the rows, which the next migration does."""

    def database_forwards(self, app_label, schema_editor, *states):
        plain = schema_editor.connection.vendor == "sqlite"
        how = migrations.AddConstraint if plain else AddConstraintNotValid
        how.database_forwards(self, app_label, schema_editor, *states)


class Migration(migrations.Migration):
    dependencies = [
        ("products", "0013_product_images"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkUpdate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("idempotency_key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("response", models.TextField(help_text="JSON, as it was sent.")),
                ("created", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ("pk",),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("actor", "idempotency_key"), name="bulk_update_idempotency_key_once"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="product",
            name="gtin",
            field=models.CharField(
                blank=True,
                help_text="The number of its barcode: EAN-8, UPC-A, EAN-13 or GTIN-14.",
                max_length=14,
                null=True,
                validators=[
                    django.core.validators.RegexValidator(GTIN, "Must be 8, 12, 13 or 14 digits."),
                    products.gtin.validate_check_digit,
                ],
                verbose_name="GTIN",
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="low_stock_at",
            field=models.IntegerField(
                blank=True,
                help_text="Staff are told when the stock falls to this. Empty: the shop's default.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(0),
                    django.core.validators.MaxValueValidator(1000000000),
                ],
                verbose_name="low stock at",
            ),
        ),
        AddCheck(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(("gtin__regex", GTIN)), name="product_gtin_digits"
            ),
        ),
        AddCheck(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(("low_stock_at__gte", 0)),
                name="product_low_stock_at_not_negative",
            ),
        ),
    ]
