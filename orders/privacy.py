"""What orders hold about a person: exported on request, erased when the account is closed."""

from types import SimpleNamespace

from django.db.models import F

from orders.bulk import BulkTransition
from orders.events import Action, OrderEvent
from orders.models import Order
from orders.serializers import OrderSerializer
from orders.transitions import Status
from products.models import BulkUpdate, ProductImage, StockAdjustment

BATCH_SIZE = 20  # orders, of up to 100 items


def export(sender, customer, **kwargs):
    """Receive `exporting`: return the customer's orders and keys, and what staff did for others.

    `orders` is a generator, since there may be more of them than fit into memory.
    """
    orders = customer.orders.all()
    events = OrderEvent.objects.filter(by=customer).exclude(order__in=orders)
    placed = Order.objects.filter(placed_by=customer).values_list("pk", "created")
    adjustments = StockAdjustment.objects.filter(actor=customer)
    bulk_transitions = BulkTransition.objects.filter(by=customer)
    keys = orders.exclude(idempotency_key=None)
    notes = orders.exclude(staff_note="")
    # The serializer lists the `actions` of this user.
    serializer = OrderSerializer(context={"request": SimpleNamespace(user=customer)})
    return {
        "orders": (serializer.to_representation(order) for order in iterate_orders(customer)),
        "order_staff_notes": list(notes.values("staff_note", order=F("id"))),
        "idempotency_keys": list(keys.values("idempotency_key", order=F("id"))),
        "order_events": [
            *(
                {"order": pk, "action": Action.PLACE, "status": Status.PLACED, "at": at, "note": ""}
                for pk, at in placed
            ),
            *events.values("order", "action", "status", "at", "note"),
        ],
        "bulk_transitions": list(bulk_transitions.values("name", "note", "total", "created")),
        "stock_adjustments": list(
            adjustments.values(
                *("id", "product", "delta", "reason", "note", "created", "idempotency_key")
            )
        ),
        "product_images": list(
            ProductImage.objects.filter(added_by=customer).values(
                *("id", "product", "alt", "idempotency_key")
            )
        ),
        "bulk_updates": list(
            BulkUpdate.objects.filter(actor=customer).values("created", "idempotency_key")
        ),
    }


def iterate_orders(customer):
    """Yield all orders of the customer, newest first, read in batches."""
    batch = Order.objects.fetch_history(customer.pk, BATCH_SIZE)
    while batch:
        yield from batch
        batch = Order.objects.fetch_history(customer.pk, BATCH_SIZE, before=batch[-1].pk)


def erase(sender, customer, **kwargs):
    """Receive `closing`: anonymize orders that are closed; the others are when they are closed.

    Also erase the idempotency keys, which the person chose, and bulk transitions.
    """
    customer.orders.closed().anonymize()
    adjustments = StockAdjustment.objects.filter(actor=customer)
    for rows in (adjustments, ProductImage.objects.filter(added_by=customer)):
        keys = rows.filter(idempotency_key__isnull=False)
        keys.update(idempotency_key=None, fingerprint="")
    BulkUpdate.objects.filter(actor=customer).delete()
    BulkTransition.objects.filter(by=customer).delete()
