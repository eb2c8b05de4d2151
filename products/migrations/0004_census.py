"""Made triggers and tables that 0005 takes away; shops have run it, so its name stays."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("products", "0003_order_and_stock_indexes")]
    operations = []
