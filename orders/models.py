"""Orders: who bought what, at which price, sent where, and what happened to the order since."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property

from orders.bulk import BulkTransition, SelectedOrder  # noqa: F401  models have to be here
from orders.managers import OrderManager
from orders.transitions import TRANSITIONS, IllegalTransition, Status, TransitionNotAllowed
from products.db_retry import retry_transaction
from products.models import Product, StockAdjustment
from shopply.api.money import MoneyField, currency_places
from shopply.api.sql import fetch_with_children, read_clock

MAX_ITEMS = 100
MAX_QUANTITY = 10_000
# The largest sum that 15 digits hold, and SQLite keeps no more of a decimal.
MAX_TOTAL = (Decimal(10) ** 15 - 1).scaleb(-currency_places())


class IncompleteAddress(Exception):
    """The address lacks the required parts `fields`, or the shop requires one and there is none."""

    def __init__(self, fields):
        super().__init__(f"The address lacks {', '.join(fields)}.")
        self.fields = fields


class TotalTooLarge(Exception):
    """The total exceeds MAX_TOTAL."""


class PriceChanged(Exception):
    """The total is not the expected one; the unsaved `order` has today's prices."""

    def __init__(self, order):
        super().__init__(f"The order comes to {order.total_price}.")
        self.order = order


class PlacedEvent(NamedTuple):
    """The first event of an order. It needs no row of its own: the order has all of it."""

    status: str
    at: datetime
    by_id: int
    note: str = ""


class Order(models.Model):
    """A record: it changes by transitions only, each of which writes an OrderEvent.

    placed     by `Order.objects.place`: the customer ordered, and the stock is taken
    confirmed  by `confirm` (staff): the shop accepts it
    shipped    by `ship` (staff): the parcel is on its way
    delivered  by `deliver` (staff): it arrived
    cancelled  by `cancel` (the customer or staff, while placed or confirmed): the stock is back
    """

    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.PLACED)
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text="The staff who ordered for the customer. Empty if the customer did.",
    )
    total_price = MoneyField(whole_digits=13)
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    shipping_address = models.JSONField(
        null=True,
        help_text="As it was when the order was placed. Null if the customer collects the order.",
    )
    note = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text="What the customer asked for.",
    )
    reference = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="The customer's own number for the order.",
    )
    staff_note = models.TextField(
        max_length=2000,
        blank=True,
        default="",
        db_default="",
        help_text="For the shop's staff. Customers see it only in an export of their data.",
    )
    carrier = models.CharField(max_length=40, blank=True, default="", db_default="")
    tracking_number = models.CharField(max_length=100, blank=True, default="", db_default="")
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
            models.Index(
                fields=("placed_by",),
                name="order_by_placed_by",
                condition=Q(placed_by__isnull=False),
            ),
            models.Index(
                fields=("reference", "-id"), name="order_by_reference", condition=~Q(reference="")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="order_total_not_negative", condition=Q(total_price__gte=0)
            ),
            models.CheckConstraint(
                name="order_status_known", condition=Q(status__in=tuple(Status.values))
            ),
            # The key belongs to the account that sends it.
            models.UniqueConstraint(
                Coalesce("placed_by", "customer"),
                "idempotency_key",
                name="order_idempotency_key_once",
            ),
        ]

    ADDRESS = (
        *("name", "contact_number", "street_1", "street_2"),
        *("city", "state", "postal_code", "country"),
    )
    REQUIRED_ADDRESS = ("street_1", "city", "country")

    replayed = False  # True if `place` returned the first order of an idempotency key

    def __str__(self):
        return f"Order {self.pk}"

    @cached_property
    def item_list(self):
        """The items as a list; `set_items` sets those of an unsaved order."""
        return list(self.items.all())

    @cached_property
    def event_list(self):
        """The events as a list, beginning with the placed event."""
        return self._prepend_placed_event(self.events.all())

    @property
    def postal_address(self):
        """The shipping address in the order of a postal label, which PostgreSQL does not keep."""
        address = self.shipping_address
        return address and {part: address[part] for part in self.ADDRESS}

    @property
    def ordered_by_id(self):
        """The id of the account that placed the order."""
        return self.placed_by_id or self.customer_id

    @property
    def placed_event(self):
        return PlacedEvent(Status.PLACED, self.created, self.ordered_by_id)

    def _prepend_placed_event(self, events):
        """Return the events after the placed event, for which earlier releases wrote a row."""
        return [self.placed_event, *(event for event in events if event.status != Status.PLACED)]

    @classmethod
    def fetch_whole(cls, tail, params):
        """Return the orders of `SELECT ... FROM orders_order <tail>` with items and events loaded.

        On PostgreSQL only.
        """
        orders, items, events = fetch_with_children(cls, tail, params, OrderItem, OrderEvent)
        items_by_order, events_by_order = defaultdict(list), defaultdict(list)
        for item in items:
            items_by_order[item.order_id].append(item)
        for event in events:
            events_by_order[event.order_id].append(event)
        for order in orders:
            order.item_list = items_by_order[order.pk]
            order.event_list = order._prepend_placed_event(events_by_order[order.pk])
        return orders

    @classmethod
    def build(cls, customer, shipping_address=None, **fields):
        """Return an unsaved order without items. Raises IncompleteAddress."""
        order = cls(currency=settings.SHOP_CURRENCY, **fields)
        if shipping_address:
            order.shipping_address = {"name": "", "contact_number": ""} | shipping_address
        if customer.is_authenticated:
            order.customer = customer
            order.shipping_address = cls.address_for(customer, shipping_address)
        return order

    def set_items(self, products, quantities, expected_total=None):
        """Set the items and the total of an unsaved order.

        `products` is `{id: Product}`, `quantities` `{id: quantity}`. Raises TotalTooLarge,
        PriceChanged.
        """
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
    def address_for(cls, customer, shipping_address=None):
        """Return the address to copy: `shipping_address`, or the customer's own, or None.

        None if both are empty: the customer collects the order, unless SHIPPING_ADDRESS_REQUIRED.
        Name and contact number are the customer's unless `shipping_address` has them. Raises
        IncompleteAddress.
        """
        profile = customer.postal_address()
        address = profile
        if shipping_address:
            recipient = {part: profile[part] for part in ("name", "contact_number")}
            address = recipient | shipping_address
        missing = [part for part in cls.REQUIRED_ADDRESS if not address[part]]
        if len(missing) == len(cls.REQUIRED_ADDRESS) and not settings.SHIPPING_ADDRESS_REQUIRED:
            return None
        if missing:
            raise IncompleteAddress(missing)
        return address

    def as_originally_placed(self):
        """Return this order as it was when it was placed, regardless of later transitions."""
        self.status = Status.PLACED
        self.modified = self.created
        self.event_list = [self.placed_event]
        self.replayed = True
        return self

    def confirm(self, *, by, note=""):
        self._transition("confirm", by, note)

    def ship(self, *, by, note=""):
        self._transition("ship", by, note)

    def deliver(self, *, by, note=""):
        self._transition("deliver", by, note)

    def cancel(self, *, by, note=""):
        """Cancel, and put the stock back once. Does nothing to an order that is cancelled."""
        try:
            self._transition("cancel", by, note)
        except IllegalTransition as exc:
            if exc.status != Status.CANCELLED:
                raise

    @retry_transaction
    def _transition(self, name, by, note):
        """Change the status and write the event. Raises TransitionNotAllowed, IllegalTransition."""
        transition = TRANSITIONS[name]
        if not transition.is_allowed_for(by, self):
            raise TransitionNotAllowed
        with transaction.atomic():
            orders = Order.objects.filter(pk=self.pk)
            orders.select_for_update(no_key=True).get()
            now = read_clock()  # after the wait for the lock, so that `modified_after` misses none
            # One conditional write: of two racing transitions, one finds the status changed.
            changed = orders.filter(status__in=transition.sources).update(
                status=transition.target, modified=now
            )
            if changed:
                self.events.create(status=transition.target, at=now, by=by, note=note)
                if transition.target == Status.CANCELLED:
                    Product.objects.restock(dict(self.items.values_list("product_id", "quantity")))
                if transition.is_final:
                    self._anonymize_if_account_closed()
        self.refresh_from_db()
        self.__dict__.pop("event_list", None)
        if not changed:
            raise IllegalTransition(name, self.status)

    def _anonymize_if_account_closed(self):
        """Erase the address, which closing the account left for the parcel to find its way."""
        # Locked: either a closing account waits for this order, or this sees it closed.
        customers = get_user_model().objects.select_for_update(no_key=True)
        if customers.values_list("closed", flat=True).get(pk=self.customer_id):
            Order.objects.filter(pk=self.pk).anonymize()


def protect(collector, field, items, using):
    """Do as models.PROTECT, which would read all the items to say that there are some."""
    first = set(items[:1])
    if first:
        raise models.ProtectedError("It was ordered, and orders are records.", first)


protect.lazy_sub_objs = True  # Django's word to leave the reading to this function


class OrderItem(models.Model):
    """A product and its quantity. Name, SKU and price are copied when the order is placed."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="items", db_index=False)
    product = models.ForeignKey(Product, protect, related_name="+")
    name = models.CharField(max_length=200)
    sku = models.CharField("SKU", max_length=40, null=True)  # noqa: DJ001  as of the product
    unit_price = MoneyField(whole_digits=10)
    quantity = models.PositiveIntegerField()
    line_total = MoneyField(whole_digits=13)
    returned = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="How many pieces came back."
    )

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.CheckConstraint(
                name="order_item_returned_at_most_sold",
                condition=Q(returned__gte=0, returned__lte=F("quantity")),
            ),
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


class ReturnedItem(models.Model):
    """Pieces of an order's item that came back: the stock adjustment that booked them."""

    item = models.ForeignKey(OrderItem, models.CASCADE, related_name="returns")
    adjustment = models.OneToOneField(StockAdjustment, models.CASCADE, related_name="+")

    class Meta:
        ordering = ("pk",)

    def __str__(self):
        return f"{self.adjustment} of {self.item}"


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


class OrderEvent(models.Model):
    """What happened to an order: its status from then on, when, and by whom."""

    order = models.ForeignKey("Order", models.CASCADE, related_name="events", db_index=False)
    # Empty in rows of earlier releases, which are transitions: the status says which.
    action = models.CharField(max_length=15, choices=Action, blank=True, default="", db_default="")
    status = models.CharField(max_length=10, choices=Status)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    shipping_address = models.JSONField(null=True, help_text="The address before it was corrected.")

    class Meta:
        ordering = ("pk",)
        indexes = [models.Index(fields=("order", "id"), name="order_event_by_order")]
        constraints = [
            # A cancelled order puts its stock back once. Other statuses can be undone.
            models.UniqueConstraint(
                fields=("order",),
                name="order_event_cancelled_once",
                condition=Q(status=Status.CANCELLED),
            ),
        ]

    def __str__(self):
        return f"{self.status} {self.at:%Y-%m-%d %H:%M}"
