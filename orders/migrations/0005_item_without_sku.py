"""The servers of the release before would fail at a line without an SKU: stop them first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_order_by_status")]

    operations = [
        migrations.AlterField(
            model_name="orderitem",
            name="sku",
            field=models.CharField(max_length=40, null=True, verbose_name="SKU"),
        ),
    ]
