"""The states of an order, and who may take it from which to which."""

from dataclasses import dataclass
from functools import cache

from django.db import models

from shopply.api.permissions import is_allowed


class Status(models.TextChoices):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


def can_change(user):
    """Return whether the user moves orders as staff."""
    return is_allowed(user, "orders.change_order")


@dataclass(frozen=True)
class Transition:
    sources: tuple[Status, ...]
    target: Status
    staff_only: bool = True

    def is_allowed_for(self, user, order):
        return self.is_open_to(can_change(user), user.pk == order.customer_id)

    def is_open_to(self, is_staff, is_customer):
        return is_staff or (is_customer and not self.staff_only)

    @property
    def is_final(self):
        return not any(self.target in transition.sources for transition in TRANSITIONS.values())


TRANSITIONS = {
    "confirm": Transition((Status.PLACED,), Status.CONFIRMED),
    "ship": Transition((Status.CONFIRMED,), Status.SHIPPED),
    "deliver": Transition((Status.SHIPPED,), Status.DELIVERED),
    "cancel": Transition((Status.PLACED, Status.CONFIRMED), Status.CANCELLED, staff_only=False),
}


def allowed_transitions(user, order):
    """Return the names of the transitions that this user can make now with the order."""
    return transitions_from(order.status, can_change(user), user.pk == order.customer_id)


@cache
def transitions_from(status, is_staff, is_customer):
    return tuple(
        name
        for name, transition in TRANSITIONS.items()
        if status in transition.sources and transition.is_open_to(is_staff, is_customer)
    )


class IllegalTransition(Exception):
    """The order's `status` is none from which this transition starts."""

    def __init__(self, name, status):
        super().__init__(f"An order that is {status} cannot be {TRANSITIONS[name].target}.")
        self.status = status


class TransitionNotAllowed(Exception):
    """This user must not make this transition."""
