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
JSON_ELEMENTS = {"postgresql": "json_array_elements_text", "sqlite": "json_each"}


class TooManyOrders(Exception):
    """More than MAX_ORDERS were selected."""


class BulkTransitionManager(models.Manager):
    @transaction.atomic
    def select(self, orders, *, name, by):
        """Return a new bulk transition of these orders, which waits to be started.

        Later changes do not add an order to it or remove one. Raises TooManyOrders.
        """
        expired = self.filter(created__lt=timezone.now() - EXPIRES).order_by("pk")
        self.filter(pk__in=list(expired.values_list("pk", flat=True)[:2])).delete()
        ids = list(orders.order_by("pk").values_list("pk", flat=True)[: MAX_ORDERS + 1])
        if len(ids) > MAX_ORDERS:
            raise TooManyOrders
        bulk = self.create(name=name, by=by, total=len(ids))
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

    def start(self, note=""):
        """Let steps be made. Does nothing if it was started before."""
        waiting = BulkTransition.objects.filter(pk=self.pk, started=None)
        waiting.update(started=timezone.now(), note=note)
        self.refresh_from_db()

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
        ids, orders = self._lock(size)
        for order in orders:
            getattr(order, self.name)(by=self.by, note=self.note)
        selected_orders = self.selected_orders.filter(order__in=ids)
        selected_orders.filter(order__in=[order.pk for order in orders]).delete()
        selected_orders.update(refused=True)
        return len(ids)

    def _lock(self, size):
        """Lock up to `size` pending orders; return their ids, and those that can be changed.

        Another step, or whoever changes one of the orders, waits and then sees what became of it.
        """
        pending = self.pending if self.started else self.selected_orders.none()
        ids = list(pending.select_for_update().values_list("order", flat=True)[:size])
        orders = apps.get_model("orders", "Order").objects.select_for_update(no_key=True)
        ready = orders.filter(pk__in=ids, status__in=self.transition.sources)
        return ids, list(ready.order_by("pk"))

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

    class Meta:
        ordering = ("pk",)
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=("bulk", "order"), name="selected_order_once")
        ]

    def __str__(self):
        return f"Order {self.order_id}"
