"""The states of an order, and who may take it from which to which."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import models

from shopply.api.permissions import is_allowed

UNDO_PERIOD = timedelta(days=1)


class Status(models.TextChoices):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Transition:
    sources: tuple[Status, ...]
    target: Status
    staff_only: bool = True

    def is_allowed_for(self, user, order):
        return self.is_open_to(may_change_orders(user), user.pk == order.customer_id)

    def is_open_to(self, is_staff, is_customer):
        return is_staff or (is_customer and not self.staff_only)


TRANSITIONS = {
    "confirm": Transition((Status.PLACED,), Status.CONFIRMED),
    "ship": Transition((Status.CONFIRMED,), Status.SHIPPED),
    "deliver": Transition((Status.SHIPPED,), Status.DELIVERED),
    "cancel": Transition((Status.PLACED, Status.CONFIRMED), Status.CANCELLED, staff_only=False),
}
FINAL_STATUSES = tuple(
    status
    for status in Status
    if not any(status in transition.sources for transition in TRANSITIONS.values())
)
# The shop itself cancels what nobody confirmed, and nothing that somebody did.
EXPIRY = Transition((Status.PLACED,), Status.CANCELLED)
# By status: the transition that led to it, and that can be undone.
UNDOABLE = {TRANSITIONS[name].target: name for name in ("ship", "deliver")}
# What else staff do: `Order.can_undo` and so on say when.
STAFF_ACTIONS = ("undo", "return", "correct_address")


def may_change_orders(user):
    """Return whether the user can do with any order what only staff do."""
    return is_allowed(user, "orders.change_order")


def allowed_transitions(user, order):
    """Return the names of the transitions that this user can make now with the order."""
    is_staff, is_customer = may_change_orders(user), user.pk == order.customer_id
    return tuple(
        name
        for name, transition in TRANSITIONS.items()
        if order.status in transition.sources and transition.is_open_to(is_staff, is_customer)
    )


def allowed_actions(user, order):
    """Return the names of all that this user can do now with the order, transitions first."""
    actions = allowed_transitions(user, order)
    if may_change_orders(user):
        actions += tuple(name for name in STAFF_ACTIONS if getattr(order, f"can_{name}"))
    return actions


class IllegalTransition(Exception):
    """The order's `status` is none in which this is possible, or it cannot be undone any more."""

    MESSAGES = {
        name: f"An order that is {{status}} cannot be {transition.target}."
        for name, transition in TRANSITIONS.items()
    } | {
        "undo": "Only the last shipping or delivery can be undone, for a day, and not if its"
        " address was erased, or if something that was shipped came back.",
        "return": "Nothing of an order that is {status} can be returned.",
        "correct_address": "The address of an order that is {status} cannot be corrected.",
    }

    def __init__(self, name, status):
        super().__init__(self.MESSAGES[name].format(status=status))
        self.status = status


class TransitionNotAllowed(Exception):
    """This user must not do this."""
