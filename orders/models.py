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

from orders.moves import MOVES, IllegalTransition, NotYours, Status
from orders.sql import insert
from products.db_retry import retried
from products.models import MAX_ID, Product
from shopply.api.sql import columns, fetch, fetch_rows, placeholders

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


class KeyReused(Exception):
    """The customer used this idempotency key for an order with another body."""


class PlacedEvent(NamedTuple):
    """The first of an order's events: it needs no row of its own, as the order says all of it."""

    status: str
    at: datetime
    by_id: int
    note: str = ""


class OrderQuerySet(models.QuerySet):
    def visible_to(self, user):
        """All for staff, your own for a customer."""
        return self if user.is_staff else self.of(user.pk)

    def of(self, customer_id):
        return self.filter(customer_id=customer_id)

    def settled(self):
        """Delivered or cancelled: in a state that no move leads out of."""
        return self.exclude(status__in=[each for move in MOVES.values() for each in move.sources])

    def page(self, limit, before=None, after=None):
        """Return orders as `OrderManager.fetch_history` does, of those in this queryset."""
        orders = self.order_by("-pk" if after is None else "pk")
        if before is not None:
            orders = orders.filter(pk__lt=before)
        if after is not None:
            orders = orders.filter(pk__gt=after)
        orders = list(orders.prefetch_related("items", "events")[:limit])
        return orders if after is None else orders[::-1]

    def forget_person(self):
        """Erase who ordered and where to; but the country, which taxes depend on."""
        OrderEvent.objects.filter(order__in=self).update(note="")
        countries = {}
        for pk, address in self.values_list("pk", "shipping_address"):
            countries.setdefault(address["country"], []).append(pk)
        # Not found by a look-up into the JSON: SQLite would read the country as JSON itself.
        for country, pks in countries.items():
            self.model.objects.filter(pk__in=pks).update(
                shipping_address=dict.fromkeys(Order.ADDRESS, "") | {"country": country},
                idempotency_key=None,
                fingerprint="",
                modified=timezone.now(),
            )


class OrderManager(models.Manager.from_queryset(OrderQuerySet)):
    def fetch(self, tail, params):
        """Return the orders of `SELECT ... FROM orders_order <tail>`, with their items and events.

        Three statements, whose text is the same each time: see `shopply.api.sql`.
        """
        sql = f"SELECT {columns(self.model)} FROM orders_order {tail}"  # noqa: S608
        orders = {order.pk: order for order in fetch(self.model, sql, params)}
        for order in orders.values():
            order.item_list, order.event_list = [], [order.placed_event]
        if orders:
            of_orders = f"WHERE order_id IN ({placeholders(orders)})"
            for item in fetch_rows(
                OrderItem,
                f"SELECT {columns(OrderItem)} FROM orders_orderitem {of_orders} ORDER BY id",  # noqa: S608
                [*orders],
            ):
                orders[item.order_id].item_list.append(item)
            for event in fetch_rows(
                OrderEvent,
                f"SELECT {columns(OrderEvent)} FROM orders_orderevent {of_orders}"  # noqa: S608
                " AND status <> 'placed' ORDER BY id",
                [*orders],
            ):
                orders[event.order_id].event_list.append(event)
        return list(orders.values())

    def fetch_visible_to(self, user, pk):
        """Return the same as `visible_to(user).get(pk=pk)`. Raises Order.DoesNotExist."""
        orders = []
        if pk <= MAX_ID:
            where = "id = %s" if user.is_staff else "id = %s AND customer_id = %s"
            orders = self.fetch(f"WHERE {where}", [pk] if user.is_staff else [pk, user.pk])
        if not orders:
            raise self.model.DoesNotExist
        return orders[0]

    def fetch_history(self, customer_id, limit, before=None, after=None):
        """Return at most `limit` orders of a customer, newest first.

        The newest, those next `before` an id, or those next `after` one.
        """
        where, params = "customer_id = %s", [customer_id]
        if before is not None:
            where, params = f"{where} AND id < %s", [customer_id, before]
        if after is not None:
            where, params = f"{where} AND id > %s", [customer_id, after]
        order = "DESC" if after is None else "ASC"
        # In the text: of an unknown limit PostgreSQL expects a tenth of all orders.
        orders = self.fetch(f"WHERE {where} ORDER BY id {order} LIMIT {limit:d}", params)
        return orders if after is None else orders[::-1]

    def quote(self, *, customer, quantities, shipping_address=None, expected_total=None):
        """Return what `place` would write now, unsaved; `customer` may be anonymous.

        Raises what `place` raises.
        """
        order = Order.build(customer, shipping_address)
        order.set_items(Product.objects.check_availability(quantities), quantities, expected_total)
        return order

    def place(self, *, customer, key=None, fingerprint="", **wanted):
        """Order `quantities`, `{product id: quantity}`, for a customer: all lines or none.

        Names, SKUs and prices are copied from the products, the address from
        `shipping_address` or else the customer's profile. Stock leaves in the same transaction.
        A customer's second order with the same idempotency `key` is not placed: the first one is
        returned, as it was then and marked `replayed`, if `fingerprint` is that of its body.
        Raises UnknownProducts, OutOfStock, AddressMissing, TotalTooLarge, PriceChanged (if it
        does not come to `expected_total`), KeyReused.
        """
        first = self._placed_by(customer, key, fingerprint)
        if first:
            return first
        try:
            return self._place(customer, key, fingerprint, **wanted)
        except Exception:
            # Perhaps because the same request got in between and took the last piece, or the key.
            first = self._placed_by(customer, key, fingerprint)
            if first:
                return first
            raise

    @retried
    def _place(
        self, customer, key, fingerprint, quantities, shipping_address=None, expected_total=None
    ):
        order = Order.build(customer, shipping_address)
        order.idempotency_key = key
        order.fingerprint = fingerprint
        with transaction.atomic():
            products = Product.objects.take_stock(quantities)
            order.set_items(products, quantities, expected_total)
            insert([order])
            for item in order.item_list:
                item.order_id = order.pk
            insert(order.item_list)
        order.event_list = [order.placed_event]
        return order

    def _placed_by(self, customer, key, fingerprint):
        """The order this key placed, as it was then; None without a key or before it was used."""
        if key is None:
            return None
        orders = self.fetch("WHERE customer_id = %s AND idempotency_key = %s", [customer.pk, key])
        if not orders:
            return None
        if orders[0].fingerprint != fingerprint:
            raise KeyReused
        return orders[0].as_originally_placed()


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
                order=self,
                product=products[pk],
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
