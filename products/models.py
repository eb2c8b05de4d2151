"""What is for sale, and how many are left."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone

from products.db_retry import retry_transaction
from products.managers import ProductManager, StockAdjustmentManager
from products.search import SearchTextField
from shopply.api.money import MoneyField
from shopply.api.sql import read_clock

MAX_STOCK = 1_000_000_000


class StockOutOfBounds(Exception):
    """The adjustment would take the stock below 0 or above MAX_STOCK; `stock` is the current."""

    def __init__(self, stock):
        super().__init__(f"There are {stock} in stock.")
        self.stock = stock


class RevisionChanged(Exception):
    """The product was changed since the client read it."""


class Product(models.Model):
    name = models.CharField(max_length=200)
    description = models.TextField(max_length=5000, blank=True)
    sku = models.CharField(  # noqa: DJ001  null, as many products have none
        "SKU",
        max_length=40,
        null=True,
        blank=True,
        help_text="Stock keeping unit: the shop's own product code.",
    )
    price = MoneyField(
        whole_digits=10,
        validators=[MinValueValidator(0)],
        help_text="Price of one piece, in the shop's currency.",
    )
    quantity_in_stock = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(MAX_STOCK)]
    )
    # Indexed instead of the stock: with that in an index, each sale would write to all indexes.
    sold_out = models.GeneratedField(
        expression=Q(quantity_in_stock=0), output_field=models.BooleanField(), db_persist=True
    )
    is_active = models.BooleanField(
        "for sale", default=True, help_text="If not: retired, visible to staff only."
    )
    created = models.DateTimeField(default=timezone.now, editable=False)
    modified = models.DateTimeField(default=timezone.now, editable=False)
    # Counts the changes of other fields than the stock, which sales change all the time.
    revision = models.IntegerField(default=1, db_default=1, editable=False)
    search_text = SearchTextField(sources=("name", "sku", "description"))

    objects = ProductManager()

    class Meta:
        ordering = ("pk",)
        # Each ordering ends with the id. Deep pages are read from these indexes alone. None has
        # `modified`, which each sale changes: it would then write to all indexes.
        indexes = [
            models.Index(fields=("id", "is_active"), name="product_by_id"),
            models.Index(fields=("name", "id", "is_active"), name="product_by_name"),
            models.Index(fields=("-name", "id", "is_active"), name="product_by_name_down"),
            models.Index(fields=("price", "id", "is_active"), name="product_by_price"),
            models.Index(fields=("-price", "id", "is_active"), name="product_by_price_down"),
            models.Index(fields=("created", "id", "is_active"), name="product_by_created"),
            models.Index(fields=("-created", "id", "is_active"), name="product_by_created_down"),
            models.Index(fields=("sold_out", "id", "is_active"), name="product_by_stock"),
        ]
        constraints = [
            models.CheckConstraint(name="product_price_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(
                name="product_stock_not_negative", condition=Q(quantity_in_stock__gte=0)
            ),
            models.UniqueConstraint(
                Upper("sku"),
                name="product_sku_any_case",
                violation_error_message="Another product has this SKU.",
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.sku})" if self.sku else self.name

    def save(self, *args, by=None, key=None, fingerprint="", **kwargs):
        """Also record the stock of a new product as its opening adjustment by the user `by`.

        With an idempotency `key` even if there is none, since the adjustment holds the key. Raises
        IntegrityError if `by` used the key before.
        """
        if not self._state.adding:
            super().save(*args, **kwargs)
            return
        self.modified = self.created
        with transaction.atomic():
            super().save(*args, **kwargs)
            if self.quantity_in_stock or key:
                opening = StockAdjustment.opening(self, by)
                opening.idempotency_key, opening.fingerprint = key, fingerprint
                opening.save()

    def delete(self, *args, if_revision=None, **kwargs):
        """Delete the product, if its revision is one of `if_revision`. Raises RevisionChanged."""
        with transaction.atomic():
            if if_revision is not None:
                self._lock(if_revision)
            return super().delete(*args, **kwargs)

    def _lock(self, if_revision=None, no_key=False):
        """Return the current row, locked until the transaction ends. Raises RevisionChanged."""
        current = Product.objects.select_for_update(no_key=no_key).get(pk=self.pk)
        if if_revision is not None and current.revision not in if_revision:
            raise RevisionChanged
        return current

    def as_originally_created(self, **fields):
        """Return the product as it was created with these fields, unsaved."""
        return Product(pk=self.pk, created=self.created, modified=self.created, **fields)

    @property
    def currency(self):
        return settings.SHOP_CURRENCY

    @property
    def in_stock(self):
        return self.quantity_in_stock > 0

    @retry_transaction
    def update_fields(self, *, if_revision=None, quantity_in_stock=None, by=None, **changes):
        """Write these fields only, if the product's revision is one of `if_revision`.

        `quantity_in_stock` is what the user `by` counted: the difference to the current stock is
        booked as a stocktake. This instance has all current values afterwards.

        Raises RevisionChanged, StockOutOfBounds, and Product.DoesNotExist if the product was
        deleted in the meantime.
        """
        with transaction.atomic():
            # Locked: another request may be changing the revision, the stock, or a field that is
            # part of the search text.
            current = self._lock(if_revision, no_key=True)
            if changes:
                for field, value in changes.items():
                    setattr(current, field, value)
                changes["search_text"] = self._meta.get_field("search_text").get_text(current)
                changes["revision"] = F("revision") + 1
            products = Product.objects.filter(pk=self.pk)
            if not products.update(modified=read_clock(), **changes):
                raise Product.DoesNotExist
            if quantity_in_stock not in (None, current.quantity_in_stock):
                delta = quantity_in_stock - current.quantity_in_stock
                current.adjust_stock(delta, reason=Reason.STOCKTAKE, by=by)
            self.refresh_from_db()

    def can_adjust(self, delta):
        """Return whether the stock can change by `delta` now."""
        return Product.objects.filter(self._has_room_for(delta), pk=self.pk).exists()

    @staticmethod
    def _has_room_for(delta):
        """Cancelled orders can take the stock above MAX_STOCK; it can then still go down."""
        if delta < 0:
            return Q(quantity_in_stock__gte=-delta)
        return Q(quantity_in_stock__lte=MAX_STOCK - delta)

    def adjust_stock(self, delta, *, reason, by, note="", key=None, fingerprint=""):
        """Add `delta` pieces to the stock, or take them if it is negative, for a Reason.

        Returns the StockAdjustment; this instance has the new stock. If the user `by` sent the
        idempotency `key` before, nothing is changed: returns that first adjustment, marked
        `replayed`, if its `fingerprint` is the same.

        Raises StockOutOfBounds, IdempotencyKeyReused.
        """
        try:
            return self._adjust_stock(
                delta,
                reason=reason,
                actor=by,
                note=note,
                idempotency_key=key,
                fingerprint=fingerprint,
            )
        except (StockOutOfBounds, IntegrityError):
            # Perhaps the same request was made before, and took the key or the last pieces.
            first = StockAdjustment.objects.booked_by(by, key, fingerprint)
            if first:
                return first
            raise

    @retry_transaction
    def _adjust_stock(self, delta, **fields):
        with transaction.atomic():
            self._lock(no_key=True)  # before the clock is read: see `read_clock`
            # The database adds, since the stock that was read may be out of date.
            updated = Product.objects.filter(self._has_room_for(delta), pk=self.pk).update(
                quantity_in_stock=F("quantity_in_stock") + delta, modified=read_clock()
            )
            self.refresh_from_db(fields=["quantity_in_stock", "modified"])
            if not updated:
                raise StockOutOfBounds(self.quantity_in_stock)
            return self.adjustments.create(
                delta=delta, quantity_in_stock=self.quantity_in_stock, **fields
            )


class Reason(models.TextChoices):
    OPENING = "opening"
    DELIVERY = "delivery"
    STOCKTAKE = "stocktake"
    DAMAGED = "damaged"
    RETURNED = "returned"
    CORRECTION = "correction"


# What a user chooses from: the opening is booked with the product.
ADJUSTMENT_REASONS = [choice for choice in Reason.choices if choice[0] != Reason.OPENING]


class StockAdjustment(models.Model):
    """A change of the stock for another reason than an order."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="adjustments")
    delta = models.IntegerField(
        "quantity change",
        validators=[MinValueValidator(-MAX_STOCK), MaxValueValidator(MAX_STOCK)],
        help_text="Pieces added (12) or taken (-2).",
    )
    reason = models.CharField(max_length=10, choices=Reason)
    # Null in rows of earlier releases.
    quantity_in_stock = models.IntegerField("stock afterwards", null=True, editable=False)
    note = models.CharField(max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name="made by",
    )
    created = models.DateTimeField(default=timezone.now, editable=False)
    # Null where the client sent none.
    idempotency_key = models.CharField(max_length=255, null=True, editable=False)  # noqa: DJ001
    fingerprint = models.CharField(max_length=64, default="", db_default="", editable=False)

    objects = StockAdjustmentManager()

    replayed = False  # True if this is the first adjustment of an idempotency key, returned again

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.CheckConstraint(
                name="stock_adjustment_not_zero",
                condition=~Q(delta=0) | Q(reason=Reason.OPENING),
                violation_error_message="Must not be 0.",
            ),
            models.CheckConstraint(
                name="stock_adjustment_reason_known",
                condition=Q(reason__in=tuple(Reason.values)),
            ),
            models.UniqueConstraint(
                name="stock_adjustment_idempotency_key_once",
                fields=("actor", "idempotency_key"),
                condition=Q(idempotency_key__isnull=False),
            ),
        ]

    def __str__(self):
        return f"{self.delta:+} {self.get_reason_display()}"

    @classmethod
    def opening(cls, product, by):
        """Return the first adjustment of a new product, unsaved."""
        stock = product.quantity_in_stock
        return cls(
            product=product, delta=stock, quantity_in_stock=stock, reason=Reason.OPENING, actor=by
        )
