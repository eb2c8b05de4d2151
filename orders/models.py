"""Orders: records of who bought what, at which price, sent where, and what became of them."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property

from orders.managers import OrderManager
from orders.moves import MOVES, IllegalTransition, NotYours, Status
from products.db_retry import retried
from products.models import Product
from shopply.api.sql import columns, fetch_rows, placeholders

MAX_LINES = 100
MAX_QUANTITY = 10_000
# The largest sum that 15 digits hold, and SQLite keeps no more of a decimal.
MAX_TOTAL = Decimal("9999999999999.99")


class AddressMissing(Exception):
    """Neither the order nor the customer's profile says where to send the parcel.

    `fields` are the parts of the address that an order cannot go without and that are empty.
    """

    def __init__(self, fields):
        super().__init__(f"The address lacks {', '.join(fields)}.")
        self.fields = fields


class TotalTooLarge(Exception):
    """The order comes to more than MAX_TOTAL."""


class PriceChanged(Exception):
    """The order comes to another sum than expected; the unsaved `order` has today's prices."""

    def __init__(self, order):
        super().__init__(f"The order comes to {order.total_price}.")
        self.order = order


class PlacedEvent(NamedTuple):
    """The first of an order's events: it needs no row of its own, as the order says all of it."""

    status: str
    at: datetime
    by_id: int
    note: str = ""


class Order(models.Model):
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.PLACED)
    total_price = models.DecimalField(max_digits=15, decimal_places=2)
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    shipping_address = models.JSONField(help_text="As it was when the order was placed.")
    # Null where the client sent none: nulls do not collide.
    idempotency_key = models.CharField(max_length=255, null=True, editable=False)  # noqa: DJ001
    fingerprint = models.CharField(max_length=64, default="", editable=False)
    created = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    modified = models.DateTimeField(default=timezone.now, db_index=True, editable=False)

    objects = OrderManager()

    class Meta:
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=("customer", "-id"), name="order_history"),
            models.Index(fields=("status", "-id"), name="order_by_status"),
        ]
        constraints = [
            models.CheckConstraint(
                name="order_total_not_negative", condition=Q(total_price__gte=0)
            ),
            models.CheckConstraint(
                name="order_status_known", condition=Q(status__in=tuple(Status.values))
            ),
            models.UniqueConstraint(
                fields=("customer", "idempotency_key"), name="order_idempotency_key_once"
            ),
        ]

    ADDRESS = (
        *("name", "contact_number", "street_1", "street_2"),
        *("city", "state", "postal_code", "country"),
    )
    # What a parcel cannot do without.
    ADDRESS_NEEDS = ("street_1", "city", "country")

    replayed = False  # whether `place` found the order of an idempotency key

    def __str__(self):
        return f"Order {self.pk}"

    @cached_property
    def item_list(self):
        """The items; those of an order that is not saved yet are set by `set_items`."""
        return list(self.items.all())

    @cached_property
    def event_list(self):
        """The events, of which the first is that the order was placed."""
        # Releases before this one wrote a row of it too.
        moves = [event for event in self.events.all() if event.status != Status.PLACED]
        return [self.placed_event, *moves]

    @property
    def placed_event(self):
        return PlacedEvent(Status.PLACED, self.created, self.customer_id)

    @classmethod
    def load_items_and_events(cls, orders, cursor):
        """Set `item_list` and `event_list` of `{id: order}`, in two statements."""
        for order in orders.values():
            order.item_list, order.event_list = [], [order.placed_event]
        if not orders:
            return
        where = f"WHERE order_id IN ({placeholders(orders)})"
        items = f"SELECT {columns(OrderItem)} FROM orders_orderitem {where} ORDER BY id"  # noqa: S608
        for item in fetch_rows(OrderItem, items, [*orders], cursor):
            orders[item.order_id].item_list.append(item)
        # Releases before this one wrote a row of the placed event too.
        where += " AND status <> 'placed'"
        events = f"SELECT {columns(OrderEvent)} FROM orders_orderevent {where} ORDER BY id"  # noqa: S608
        for event in fetch_rows(OrderEvent, events, [*orders], cursor):
            orders[event.order_id].event_list.append(event)

    @classmethod
    def build(cls, customer, shipping_address=None):
        """Return an unsaved order, of nothing yet."""
        now = timezone.now()
        order = cls(currency=settings.SHOP_CURRENCY, created=now, modified=now)
        if shipping_address:
            order.shipping_address = {"name": "", "contact_number": ""} | shipping_address
        if customer.is_authenticated:
            order.customer = customer
            order.shipping_address = cls.address_for(customer, shipping_address)
        return order

    def set_items(self, products, quantities, expected_total=None):
        """Give an unsaved order these quantities of the products, and its total."""
        self.item_list = [
            OrderItem(
                product_id=pk,
                name=products[pk].name,
                sku=products[pk].sku,
                unit_price=products[pk].price,
                quantity=quantity,
                line_total=products[pk].price * quantity,
            )
            for pk, quantity in quantities.items()
        ]
        self.total_price = sum(item.line_total for item in self.item_list)
        if self.total_price > MAX_TOTAL:
            raise TotalTooLarge
        if expected_total not in (None, self.total_price):
            raise PriceChanged(self)

    @classmethod
    def address_for(cls, customer, given=None):
        """The address to copy: the one given, or the customer's; the latter's name in both."""
        profile = customer.postal_address()
        address = profile
        if given:
            recipient = {part: profile[part] for part in ("name", "contact_number")}
            address = recipient | given
        missing = [part for part in cls.ADDRESS_NEEDS if not address[part]]
        if missing:
            raise AddressMissing(missing)
        return address

    def as_originally_placed(self):
        """Return this order as its first answer had it, whatever became of it since."""
        self.status = Status.PLACED
        self.modified = self.created
        self.event_list = [self.placed_event]
        self.replayed = True
        return self

    def confirm(self, *, by, note=""):
        self._move("confirm", by, note)

    def ship(self, *, by, note=""):
        self._move("ship", by, note)

    def deliver(self, *, by, note=""):
        self._move("deliver", by, note)

    def cancel(self, *, by, note=""):
        """Also puts the stock back, once; an order that is cancelled already stays as it is."""
        try:
            self._move("cancel", by, note)
        except IllegalTransition as exc:
            if exc.status != Status.CANCELLED:
                raise

    @retried
    def _move(self, name, by, note):
        """Make the move and write its event. Raises NotYours, IllegalTransition."""
        move = MOVES[name]
        if not move.is_for(by, self):
            raise NotYours
        now = timezone.now()
        with transaction.atomic():
            # One conditional write, so that of two racing moves one finds the order moved.
            moved = Order.objects.filter(pk=self.pk, status__in=move.sources).update(
                status=move.target, modified=now
            )
            if moved:
                self.events.create(status=move.target, at=now, by=by, note=note)
                if move.target == Status.CANCELLED:
                    Product.objects.restock(dict(self.items.values_list("product_id", "quantity")))
                if move.is_last:
                    self._forget_closed_account()
        self.refresh_from_db()
        self.__dict__.pop("event_list", None)
        if not moved:
            raise IllegalTransition(name, self.status)

    def _forget_closed_account(self):
        """What the closing left for the parcel to find its way."""
        # Locked, so that an account that is being closed either sees this order done or is seen.
        customers = get_user_model().objects.select_for_update(no_key=True)
        if customers.values_list("closed", flat=True).get(pk=self.customer_id):
            Order.objects.filter(pk=self.pk).forget_person()


def protect(collector, field, lines, using):
    """models.PROTECT, which would read each of the lines to say that there are some."""
    one = set(lines[:1])
    if one:
        raise models.ProtectedError("It was ordered, and orders are records.", one)


protect.lazy_sub_objs = True  # Django's word to leave the reading to this function


class OrderItem(models.Model):
    """One line. Name, SKU and price are those of the moment the order was placed."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="items", db_index=False)
    product = models.ForeignKey(Product, protect, related_name="+")
    name = models.CharField(max_length=200)
    sku = models.CharField("SKU", max_length=40, null=True)  # noqa: DJ001  as of the product
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)
    quantity = models.PositiveIntegerField()
    line_total = models.DecimalField(max_digits=15, decimal_places=2)

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=("order", "product"), name="order_item_product_once"),
            models.CheckConstraint(
                name="order_item_quantity_positive", condition=Q(quantity__gte=1)
            ),
            models.CheckConstraint(
                name="order_item_money_not_negative",
                condition=Q(unit_price__gte=0, line_total__gte=0),
            ),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.name}"


class OrderEvent(models.Model):
    """That an order was placed or moved on: when, and by whom."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="events", db_index=False)
    status = models.CharField(max_length=10, choices=Status)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=("order", "status"), name="order_event_once"),
        ]

    def __str__(self):
        return f"{self.status} {self.at:%Y-%m-%d %H:%M}"
