"""The states of an order, and who may take it from which to which."""

from dataclasses import dataclass

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
        return user.is_staff or (not self.staff_only and user.pk == order.customer_id)

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
    return [
        name
        for name, move in MOVES.items()
        if order.status in move.sources and move.is_for(user, order)
    ]


class IllegalTransition(Exception):
    """The order is in no state from which this move starts; `status` is the one it is in."""

    def __init__(self, move, status):
        super().__init__(f"An order that is {status} cannot be {MOVES[move].target}.")
        self.status = status


class NotYours(Exception):
    """The move is not for this user to make."""
