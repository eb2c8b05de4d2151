"""What the order book holds of a person: told on export, erased when the account is closed."""

from types import SimpleNamespace

from django.db.models import F

from orders.parts import OrderEvent
from orders.records import Records
from orders.serializers import OrderSerializer
from products.models import StockAdjustment


def export(sender, customer, **kwargs):
    """A receiver of `exporting`: orders and their keys; and of staff, what they did for others."""
    orders = customer.orders.all()
    events = OrderEvent.objects.filter(by=customer).exclude(order__in=orders)
    adjustments = StockAdjustment.objects.filter(actor=customer)
    keys = orders.exclude(idempotency_key=None)
    told = OrderSerializer(context={"request": SimpleNamespace(user=customer)})  # whose `actions`
    return {
        "orders": [told.to_representation(order) for order in Records.of(customer.pk)],
        "idempotency_keys": list(keys.values("idempotency_key", order=F("id"))),
        "order_events": list(events.values("order", "status", "at", "note")),
        "stock_adjustments": list(
            adjustments.values("id", "product", "delta", "reason", "note", "created")
        ),
    }


def erase(sender, customer, **kwargs):
    """A receiver of `closing`. Parcels under way keep their address until they are delivered."""
    customer.orders.settled().forget_person()
