"""The states of an order, and who may take it from which to which."""

from dataclasses import dataclass
from functools import cache

from django.db import models


class Status(models.TextChoices):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Move:
    sources: tuple[Status, ...]
    target: Status
    staff_only: bool = True

    def is_for(self, user, order):
        return self.is_open_to(user.is_staff, user.pk == order.customer_id)

    def is_open_to(self, staff, customer):
        return staff or (customer and not self.staff_only)

    @property
    def is_last(self):
        return not any(self.target in move.sources for move in MOVES.values())


MOVES = {
    "confirm": Move((Status.PLACED,), Status.CONFIRMED),
    "ship": Move((Status.CONFIRMED,), Status.SHIPPED),
    "deliver": Move((Status.SHIPPED,), Status.DELIVERED),
    "cancel": Move((Status.PLACED, Status.CONFIRMED), Status.CANCELLED, staff_only=False),
}


def moves_of(user, order):
    """The names of the moves that this user may make now with the order."""
    return moves_from(order.status, user.is_staff, user.pk == order.customer_id)


@cache
def moves_from(status, staff, customer):
    return tuple(
        name
        for name, move in MOVES.items()
        if status in move.sources and move.is_open_to(staff, customer)
    )


class IllegalTransition(Exception):
    """The order is in no state from which this move starts; `status` is the one it is in."""

    def __init__(self, move, status):
        super().__init__(f"An order that is {status} cannot be {MOVES[move].target}.")
        self.status = status


class NotYours(Exception):
    """The move is not for this user to make."""
