"""Orders: records of who bought what, at which price, sent where, and what became of them."""

from decimal import Decimal

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, models, transaction
from django.db.models import Q
from django.utils import timezone

from orders.moves import MOVES, IllegalTransition, NotYours, Status
from orders.parts import OrderEvent
from orders.records import EventRecord, LineRecord, Records, take_and_write, write
from products.models import Product
from products.records import asked
from products.retries import retried

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
    """The order comes to another sum than the customer expects; `draft` has today's prices."""

    def __init__(self, draft):
        super().__init__(f"The order comes to {draft.total_price}.")
        self.draft = draft


class KeyReused(Exception):
    """The customer used this idempotency key for an order with another body."""


class OrderQuerySet(models.QuerySet):
    def visible_to(self, user):
        """All for staff, your own for a customer."""
        return self if user.is_staff else self.of(user.pk)

    def of(self, customer_id):
        return self.filter(customer_id=customer_id)

    def settled(self):
        """Delivered or cancelled: in a state that no move leads out of."""
        return self.exclude(status__in=[each for move in MOVES.values() for each in move.sources])

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
    def quote(self, *, customer, quantities, shipping_address=None, expected_total=None):
        """What `place` would write now, unsaved; `customer` may be anonymous. Same refusals."""
        draft = Order.draft(customer, shipping_address)
        draft.fill(Product.objects.supplying(quantities), quantities, expected_total)
        return draft

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
        order = Order.draft(customer, shipping_address)
        order.idempotency_key = key
        order.fingerprint = fingerprint
        event = EventRecord(order.status, order.created, customer.pk, note="")
        if not self._place_at_once(order, event, quantities, expected_total):
            with transaction.atomic():
                order.fill(Product.objects.take(quantities), quantities, expected_total)
                write(order, event)
        order.history = [event]
        return order

    def _place_at_once(self, order, event, quantities, expected_total):
        """Whether one statement placed it; if the shop must refuse it, it does not say why."""
        if connection.vendor != "postgresql":  # SQLite has no statement that writes several tables
            return False
        bounds = (0, MAX_TOTAL) if expected_total is None else (expected_total, expected_total)
        return take_and_write(order, event, quantities, *bounds)

    def _placed_by(self, customer, key, fingerprint):
        """The order this key placed, as it was then; None without a key or before it was used."""
        found = key and asked(
            "SELECT id, fingerprint FROM orders_order WHERE customer_id = %s"
            " AND idempotency_key = %s",
            (customer.pk, key),
        )
        if not found:
            return None
        ((pk, first_fingerprint),) = found
        if first_fingerprint != fingerprint:
            raise KeyReused
        return self.get(pk=pk).as_placed()


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

    # What an answer tells, where it is at hand already; else it is looked up.
    lines = ()  # LineRecords, of a draft not yet saved
    history = ()  # EventRecords
    replayed = False

    def __str__(self):
        return f"Order {self.pk}"

    @classmethod
    def draft(cls, customer, shipping_address=None):
        """An unsaved order, of nothing yet."""
        now = timezone.now()
        order = cls(
            currency=settings.SHOP_CURRENCY,
            created=now,
            modified=now,
        )
        if shipping_address:
            order.shipping_address = {"name": "", "contact_number": ""} | shipping_address
        if customer.is_authenticated:
            order.customer = customer
            order.shipping_address = cls.address_for(customer, shipping_address)
        return order

    def fill(self, products, quantities, expected_total=None):
        """Give a draft its `lines`, of these quantities of the products, and its total."""
        self.lines = [LineRecord.copy_of(products[pk], n) for pk, n in quantities.items()]
        self.total_price = sum(line.line_total for line in self.lines)
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

    def as_placed(self):
        """This order as its first answer told it, whatever became of it since."""
        self.status = Status.PLACED
        self.modified = self.created
        (record,) = Records.shown(self.pk, self.customer).page(1)
        self.lines = record.lines
        self.history = [event for event in record.history if event.status == Status.PLACED]
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
                    Product.objects.put_back(dict(self.items.values_list("product_id", "quantity")))
                if move.is_last:
                    self._forget_closed_account()
        self.refresh_from_db()
        if not moved:
            raise IllegalTransition(name, self.status)

    def _forget_closed_account(self):
        """What the closing left for the parcel to find its way."""
        # Locked, so that an account that is being closed either sees this order done or is seen.
        customers = get_user_model().objects.select_for_update(no_key=True)
        if customers.values_list("closed", flat=True).get(pk=self.customer_id):
            Order.objects.filter(pk=self.pk).forget_person()
