"""Widening the number rewrites the table, which keeps servers waiting: stop them first."""

import django.core.validators
from django.db import migrations

import shopply.api.money


class Migration(migrations.Migration):
    dependencies = [("products", "0009_stock_adjustment_key_once")]

    operations = [
        migrations.AlterField(
            model_name="product",
            name="price",
            field=shopply.api.money.MoneyField(
                help_text="Price of one piece, in the shop's currency.",
                validators=[django.core.validators.MinValueValidator(0)],
                whole_digits=10,
            ),
        ),
    ]
