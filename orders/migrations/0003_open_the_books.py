"""What was sold and stocked before there were events and adjustments is booked after the fact."""

from django.db import migrations
from django.db.models import Sum


def open_the_books(apps, schema_editor):
    model = apps.get_model
    sold = dict(
        model("orders.OrderItem")
        .objects.order_by()
        .values_list("product")
        .annotate(Sum("quantity"))
    )
    adjustment, event = model("products.StockAdjustment"), model("orders.OrderEvent")
    openings = (
        adjustment(
            product=product,
            delta=product.quantity_in_stock + sold.get(product.pk, 0),
            reason="opening",
            created=product.created,
        )
        for product in model("products.Product").objects.iterator()
    )
    adjustment.objects.bulk_create((row for row in openings if row.delta), batch_size=1000)
    event.objects.bulk_create(
        (
            event(order=order, status="placed", at=order.created, by_id=order.customer_id)
            for order in model("orders.Order").objects.iterator()
        ),
        batch_size=1000,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0002_keys_and_events"),
        ("products", "0002_stockadjustment"),
    ]

    operations = [migrations.RunPython(open_the_books, migrations.RunPython.noop)]
