"""The history of an order."""

from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import models
from django.db.models import Q

from orders.transitions import TRANSITIONS, Status


class Action(models.TextChoices):
    """What an event of an order was."""

    PLACE = "place", "Placed"
    CONFIRM = "confirm", "Confirmed"
    SHIP = "ship", "Shipped"
    DELIVER = "deliver", "Delivered"
    CANCEL = "cancel", "Cancelled"
    UNDO = "undo", "Undone"
    CORRECT_ADDRESS = "correct_address", "Address corrected"
    RETURN = "return", "Returned"


# Of events of earlier releases, which have no action: their status says what they were.
ACTIONS = {Status.PLACED: Action.PLACE} | {
    transition.target: Action(name) for name, transition in TRANSITIONS.items()
}


def get_action(event):
    """Return the Action of an OrderEvent, of its row or of a PlacedEvent."""
    return event.action or ACTIONS[event.status]


class PlacedEvent(NamedTuple):
    """The first event of an order. It needs no row of its own: the order has all of it."""

    status: str
    at: datetime
    by_id: int
    note: str = ""
    action: str = Action.PLACE
    shipping_address: None = None


class OrderEvent(models.Model):
    """What happened to an order: its status from then on, when, and by whom."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="events", db_index=False)
    action = models.CharField(max_length=15, choices=Action, blank=True, default="", db_default="")
    status = models.CharField(max_length=10, choices=Status)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    shipping_address = models.JSONField(null=True, help_text="The address before it was corrected.")

    class Meta:
        ordering = ("pk",)
        indexes = [
            models.Index(fields=("order", "id"), name="order_event_by_order"),
            # For the time line of a product's stock, which shows the newest cancellations first.
            models.Index(
                fields=("id", "order"),
                name="order_event_cancelled",
                condition=Q(status=Status.CANCELLED),
            ),
        ]
        constraints = [
            # A cancelled order puts its stock back once. Other statuses can be undone.
            models.UniqueConstraint(
                fields=("order",),
                name="order_event_cancelled_once",
                condition=Q(status=Status.CANCELLED),
            ),
        ]

    def __str__(self):
        return f"Order {self.order_id}: {self.status}"
