"""What the order book holds of a person: told on export, erased when the account is closed."""

from types import SimpleNamespace

from django.db.models import F

from orders.models import Order, OrderEvent
from orders.serializers import OrderSerializer
from products.models import StockAdjustment

BATCH_SIZE = 20  # orders, of up to 100 lines


def export(sender, customer, **kwargs):
    """A receiver of `exporting`: orders and their keys; and of staff, what they did for others.

    The orders are a generator: there may be more of them than fit into memory.
    """
    orders = customer.orders.all()
    events = OrderEvent.objects.filter(by=customer).exclude(order__in=orders)
    adjustments = StockAdjustment.objects.filter(actor=customer)
    keys = orders.exclude(idempotency_key=None)
    told = OrderSerializer(context={"request": SimpleNamespace(user=customer)})  # whose `actions`
    return {
        "orders": (told.to_representation(order) for order in orders_of(customer)),
        "idempotency_keys": list(keys.values("idempotency_key", order=F("id"))),
        "order_events": list(events.values("order", "status", "at", "note")),
        "stock_adjustments": list(
            adjustments.values("id", "product", "delta", "reason", "note", "created")
        ),
    }


def orders_of(customer):
    """All of them, newest first, read a few at a time."""
    batch = Order.objects.fetch_history(customer.pk, BATCH_SIZE)
    while batch:
        yield from batch
        batch = Order.objects.fetch_history(customer.pk, BATCH_SIZE, before=batch[-1].pk)


def erase(sender, customer, **kwargs):
    """A receiver of `closing`. Parcels under way keep their address until they are delivered."""
    customer.orders.settled().forget_person()
