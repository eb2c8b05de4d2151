"""Widening the numbers rewrites the tables, which keeps servers waiting: stop them first."""

from django.db import migrations

import shopply.api.money


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_note_reference_and_placed_by")]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="total_price",
            field=shopply.api.money.MoneyField(whole_digits=13),
        ),
        migrations.AlterField(
            model_name="orderitem",
            name="unit_price",
            field=shopply.api.money.MoneyField(whole_digits=10),
        ),
        migrations.AlterField(
            model_name="orderitem",
            name="line_total",
            field=shopply.api.money.MoneyField(whole_digits=13),
        ),
    ]
