"""A transition of many orders, made in steps, since no request should take long."""

import json
import time
from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.db import OperationalError, connection, models, transaction
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from orders.transitions import TRANSITIONS, Status
from products.db_retry import is_retryable, limit_lock_wait

MAX_ORDERS = 50_000
STEP_TIMEOUT = 0.4  # seconds
LOCK_TIMEOUT = 0.3  # seconds, for an order that somebody else is changing
EXPIRES = timedelta(days=7)
MAX_PARCELS = 50  # orders that are shipped with carrier and tracking number
PARCEL = ("carrier", "tracking_number")
JSON_ELEMENTS = {"postgresql": "json_array_elements_text", "sqlite": "json_each"}


class TooManyOrders(Exception):
    """More than MAX_ORDERS were selected."""


class BulkTransitionManager(models.Manager):
    @transaction.atomic
    def select(self, orders, *, name, by, is_cut_short=False):
        """Return a new bulk transition of these orders, which waits to be started.

        `is_cut_short` if more orders matched the search by which they were found. Later changes do
        not add an order to it or remove one. Raises TooManyOrders.
        """
        expired = self.filter(created__lt=timezone.now() - EXPIRES).order_by("pk")
        self.filter(pk__in=list(expired.values_list("pk", flat=True)[:2])).delete()
        ids = list(orders.order_by("pk").values_list("pk", flat=True)[: MAX_ORDERS + 1])
        if len(ids) > MAX_ORDERS:
            raise TooManyOrders
        bulk = self.create(name=name, by=by, total=len(ids), is_cut_short=is_cut_short)
        with connection.cursor() as cursor:  # bulk_create takes four times as long
            cursor.execute(
                "INSERT INTO orders_selectedorder (bulk_id, order_id, refused)"  # noqa: S608
                " SELECT %s, CAST(value AS bigint), false"
                f" FROM {JSON_ELEMENTS[connection.vendor]}(%s)",
                [bulk.pk, json.dumps(ids)],
            )
        return bulk

    def unfinished(self, user):
        """Return those of this user that were started, and have orders left."""
        pending = SelectedOrder.objects.filter(bulk=models.OuterRef("pk"), refused=False)
        return self.filter(models.Exists(pending), by=user, started__isnull=False)


class BulkTransition(models.Model):
    """A transition that staff make with many orders, in steps.

    Its `selected_orders` are the orders that are left. One that makes the transition is removed
    from them in the same transaction, so a crash neither skips nor repeats an order. One that
    cannot make it stays, `refused`.
    """

    name = models.CharField(max_length=10)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    total = models.PositiveIntegerField(help_text="How many orders were selected.")
    created = models.DateTimeField(default=timezone.now, db_index=True)
    started = models.DateTimeField(null=True)
    reported = models.DateTimeField(null=True)
    is_cut_short = models.BooleanField(default=False, db_default=False)

    objects = BulkTransitionManager()

    class Meta:
        ordering = ("pk",)
        default_permissions = ()

    def __str__(self):
        plural = "" if self.total == 1 else "s"
        return f"{self.name.capitalize()} {self.total:,} order{plural}"

    @property
    def transition(self):
        return TRANSITIONS[self.name]

    @property
    def pending(self):
        """The orders that it has not come to yet, in the order in which it will."""
        return self.selected_orders.filter(refused=False).order_by("order_id")

    def count_statuses(self):
        """Return `{status: count}` of the orders that are left."""
        statuses = self.selected_orders.order_by().values_list("order__status")
        return dict(statuses.annotate(Count("pk")))

    def list_orders_to_ship(self):
        """Return the orders for whose parcels to ask: none if it does not ship, or too many."""
        if self.name != "ship":
            return []
        ready = self.selected_orders.filter(order__status__in=self.transition.sources)
        rows = ready.order_by("order_id").select_related("order__customer")[: MAX_PARCELS + 1]
        orders = [row.order for row in rows]
        return orders if len(orders) <= MAX_PARCELS else []

    def count_stock(self):
        """Return the `pieces` and `products` that cancelling would put back."""
        return self.selected_orders.filter(order__status__in=self.transition.sources).aggregate(
            pieces=Sum("order__items__quantity", default=0),
            products=Count("order__items__product", distinct=True),
        )

    def count(self):
        """Return how many orders are `pending`, were `refused`, and have `changed`."""
        counts = self.selected_orders.aggregate(
            pending=Count("pk", filter=Q(refused=False)),
            refused=Count("pk", filter=Q(refused=True)),
        )
        return counts | {"changed": self.total - sum(counts.values())}

    @transaction.atomic
    def start(self, note="", parcels=()):
        """Let steps be made. Does nothing if it was started before.

        `parcels` are `(id of an order, {"carrier": ..., "tracking_number": ...})`, if it ships.
        """
        waiting = BulkTransition.objects.filter(pk=self.pk, started=None)
        if waiting.update(started=timezone.now(), note=note):
            for pk, parcel in parcels:
                self.selected_orders.filter(order=pk).update(**parcel)
        self.refresh_from_db()

    def report(self):
        """Return whether it was not reported before; from now on it was."""
        unreported = BulkTransition.objects.filter(pk=self.pk, reported=None)
        return bool(unreported.update(reported=timezone.now()))

    def step(self):
        """Make the transition with the next orders, for about STEP_TIMEOUT.

        Several processes can make steps at once.
        """
        deadline = time.monotonic() + STEP_TIMEOUT
        # Cancelling locks products in an order of their own: that of one order at a time.
        size = 1 if self.transition.target == Status.CANCELLED else 10
        try:
            while self._make_transitions(size) and time.monotonic() < deadline:
                pass
        except OperationalError as exc:
            if not is_retryable(exc):
                raise
            # Somebody else has one of the orders: the next step tries again.

    @transaction.atomic
    def _make_transitions(self, size):
        """Make the transition with up to `size` orders; return how many were pending."""
        limit_lock_wait(LOCK_TIMEOUT)
        parcels, orders = self._lock(size)
        for order in orders:
            parcel = parcels[order.pk] if self.name == "ship" else {}
            getattr(order, self.name)(by=self.by, note=self.note, **parcel)
        selected_orders = self.selected_orders.filter(order__in=parcels)
        selected_orders.filter(order__in=[order.pk for order in orders]).delete()
        selected_orders.update(refused=True, carrier="", tracking_number="")
        return len(parcels)

    def _lock(self, size):
        """Lock up to `size` pending orders.

        Return `{id: parcel}` of them, and those orders that can be changed.

        Another step, or whoever changes one of the orders, waits and then sees what became of it.
        """
        pending = self.pending if self.started else self.selected_orders.none()
        columns = ("order", *PARCEL)
        rows = pending.select_for_update().values_list(*columns)[:size]
        parcels = {pk: dict(zip(PARCEL, values, strict=True)) for pk, *values in rows}
        orders = apps.get_model("orders", "Order").objects.select_for_update(no_key=True)
        ready = orders.filter(pk__in=parcels, status__in=self.transition.sources)
        return parcels, list(ready.order_by("pk"))

    @transaction.atomic
    def stop(self):
        """Leave the orders that are pending as they are."""
        count, _ = self.selected_orders.filter(refused=False).delete()
        BulkTransition.objects.filter(pk=self.pk).update(total=F("total") - count)
        self.refresh_from_db()


class SelectedOrder(models.Model):
    """An order that a bulk transition has not made yet, or that was `refused`."""

    bulk = models.ForeignKey(
        BulkTransition, models.CASCADE, related_name="selected_orders", db_index=False
    )
    # No constraint, which would lock each order. Orders are never deleted.
    order = models.ForeignKey(
        "orders.Order", models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    refused = models.BooleanField(default=False)
    # Of its parcel, until it is shipped. The statement of `select` leaves them to the database.
    carrier = models.CharField(max_length=40, blank=True, default="", db_default="")
    tracking_number = models.CharField(max_length=100, blank=True, default="", db_default="")

    class Meta:
        ordering = ("pk",)
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=("bulk", "order"), name="selected_order_once")
        ]

    def __str__(self):
        return f"Order {self.order_id}"
