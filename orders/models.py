"""Orders: who bought what, at which price, sent where, and what happened to the order since."""

from collections import defaultdict
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property

from orders import addresses
from orders.addresses import IncompleteAddress
from orders.bulk import BulkTransition, SelectedOrder
from orders.carriers import tracking_url
from orders.events import Action, OrderEvent, PlacedEvent, get_action
from orders.items import OrderItem, ReturnedItem
from orders.managers import OrderManager
from orders.search import SearchEntry
from orders.transitions import Status
from orders.verbs import OrderVerbs
from shopply.api.money import MoneyField, currency_places
from shopply.api.sql import fetch_with_children

__all__ = [  # the models, wherever they are
    "BulkTransition",
    "Order",
    "OrderEvent",
    "OrderItem",
    "ReturnedItem",
    "SearchEntry",
    "SelectedOrder",
]

MAX_ITEMS = 100
MAX_QUANTITY = 10_000
# The largest sum that 15 digits hold, and SQLite keeps no more of a decimal.
MAX_TOTAL = (Decimal(10) ** 15 - 1).scaleb(-currency_places())


class TotalTooLarge(Exception):
    """The total exceeds MAX_TOTAL."""


class PriceChanged(Exception):
    """The total is not the expected one; the unsaved `order` has today's prices."""

    def __init__(self, order):
        super().__init__(f"The order comes to {order.total_price}.")
        self.order = order


class Order(OrderVerbs, models.Model):
    """A record: it changes by its verbs only, each of which writes an OrderEvent.

    placed     by `Order.objects.place`: the customer ordered, and the stock is taken
    confirmed  by `confirm` (staff): the shop accepts it
    shipped    by `ship` (staff): the parcel is on its way
    delivered  by `deliver` (staff): it arrived
    cancelled  by `cancel` (the customer or staff, while placed or confirmed): the stock is back

    `undo` takes a `ship` or `deliver` back. `correct_address` and `return_items` keep the status.
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

    replayed = False  # True if an idempotency key was used before, and nothing was done anew

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
        return addresses.in_postal_order(self.shipping_address)

    @property
    def tracking_url(self):
        return tracking_url(self.carrier, self.tracking_number)

    @property
    def ordered_by_id(self):
        """The id of the account that placed the order."""
        return self.placed_by_id or self.customer_id

    @property
    def placed_event(self):
        return PlacedEvent(Status.PLACED, self.created, self.ordered_by_id)

    def _prepend_placed_event(self, events):
        """Return the events after the placed event, for which earlier releases wrote a row."""
        later = (event for event in events if get_action(event) != Action.PLACE)
        return [self.placed_event, *later]

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
        missing = addresses.missing_parts(address)
        if len(missing) == len(addresses.REQUIRED_PARTS) and not settings.SHIPPING_ADDRESS_REQUIRED:
            return None
        if missing:
            raise IncompleteAddress(missing)
        return address

    def as_originally_placed(self):
        """Return this order as it was when it was placed, regardless of what came later."""
        for event in reversed(self.event_list):
            if event.action == Action.CORRECT_ADDRESS:
                self.shipping_address = event.shipping_address
        self.item_list = [
            OrderItem(**{name: getattr(item, name) for name in OrderItem.COPIED_FIELDS})
            for item in self.item_list
        ]
        self.status = Status.PLACED
        self.carrier = self.tracking_number = ""
        self.modified = self.created
        self.event_list = [self.placed_event]
        self.replayed = True
        return self
