"""What is for sale, and how many are left."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import IntegrityError, models, transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Cast, Upper
from django.utils import timezone
from django.utils.functional import cached_property

from products.bulk import BulkUpdate  # noqa: F401  a model
from products.categories import Category
from products.db_retry import retry_transaction
from products.gtin import GTIN, validate_check_digit, validate_digits
from products.images import ProductImage
from products.managers import STOCK_BANDS, ProductManager, RevisionChanged, StockAdjustmentManager
from products.search import SearchTextField
from shopply.api.money import MoneyField
from shopply.api.sql import read_clock

__all__ = ["Product", "ProductImage", "StockAdjustment"]  # the models, wherever they are

MAX_STOCK = 1_000_000_000


class StockOutOfBounds(Exception):
    """The adjustment `delta` would take the stock below 0 or above MAX_STOCK."""

    def __init__(self, product, delta):
        message = f"There are {product.quantity_in_stock:,} in stock."
        if delta > 0:
            message = f"{message} There can be {MAX_STOCK:,} at most."
        super().__init__(message)
        self.product = product


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
    gtin = models.CharField(  # noqa: DJ001  null, as many products have none
        "GTIN",
        max_length=14,
        null=True,
        blank=True,
        validators=[validate_digits, validate_check_digit],
        help_text="The number of its barcode: EAN-8, UPC-A, EAN-13 or GTIN-14.",
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
    low_stock_at = models.IntegerField(
        "low stock at",
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_STOCK)],
        help_text="Staff are told when the stock falls to this. Empty: the shop's default.",
    )
    # Indexed for `ProductQuerySet.low`, as above: sales seldom change it, and it does not depend on
    # LOW_STOCK_AT. 0 if the stock is low by `low_stock_at`; without one, the least of STOCK_BANDS
    # that it does not exceed; otherwise null.
    stock_band = models.GeneratedField(
        expression=Case(
            When(quantity_in_stock__lte=F("low_stock_at"), then=0),
            When(low_stock_at__isnull=False, then=None),
            *(When(quantity_in_stock__lte=limit, then=limit) for limit in STOCK_BANDS),
            default=None,
        ),
        output_field=models.SmallIntegerField(null=True),
        db_persist=True,
    )
    is_active = models.BooleanField(
        "for sale", default=True, help_text="If not: retired, visible to staff only."
    )
    categories = models.ManyToManyField(Category, blank=True, related_name="products")
    created = models.DateTimeField(default=timezone.now, editable=False)
    modified = models.DateTimeField(default=timezone.now, editable=False)
    # Counts the changes of other fields than the stock, which sales change all the time.
    revision = models.IntegerField(default=1, db_default=1, editable=False)
    # How often its images changed, 0 if it never had any: a column, so that the feed reports it.
    image_changes = models.IntegerField(default=0, db_default=0, editable=False)
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
            models.Index(
                fields=("stock_band", "id"),
                name="product_by_stock_band",
                condition=Q(stock_band__isnull=False),
            ),
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
            models.CheckConstraint(name="product_gtin_digits", condition=Q(gtin__regex=GTIN)),
            # Compared as numbers, for which leading zeros do not matter.
            models.UniqueConstraint(
                Cast("gtin", models.BigIntegerField()),
                name="product_gtin_once",
                violation_error_message="Another product has this GTIN.",
            ),
            models.CheckConstraint(
                name="product_low_stock_at_not_negative", condition=Q(low_stock_at__gte=0)
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.sku})" if self.sku else self.name

    def save(self, *args, by=None, key=None, fingerprint="", categories=(), **kwargs):
        """Also record the stock of a new product as its opening adjustment by the user `by`.

        With an idempotency `key` even if there is none, since the adjustment holds the key. A new
        product is also put into these `categories`. Raises IntegrityError if `by` used the key
        before.
        """
        if not self._state.adding:
            super().save(*args, **kwargs)
            return
        self.modified = self.created
        with transaction.atomic():
            super().save(*args, **kwargs)
            self.categories.add(*categories)
            self.__dict__.pop("category_slugs", None)  # which may have been read before
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

    def as_originally_created(self, *, categories=(), **fields):
        """Return the product as it was created with these fields, unsaved."""
        product = Product(pk=self.pk, created=self.created, modified=self.created, **fields)
        product.category_slugs = sorted(category.slug for category in categories)
        return product

    @cached_property
    def category_slugs(self):
        """The slugs of its categories; `Category.objects.load_slugs` loads those a user sees."""
        if self._state.adding:
            return []
        return sorted(category.slug for category in self.categories.all())

    @cached_property
    def image_list(self):
        """Its images in their order; `ProductImage.objects.load_lists` loads those of a page."""
        return [*self.images.all()] if self.image_changes else []  # one that never had any

    @property
    def currency(self):
        return settings.SHOP_CURRENCY

    @property
    def in_stock(self):
        return self.quantity_in_stock > 0

    @retry_transaction
    def update_fields(
        self, *, if_revision=None, quantity_in_stock=None, by=None, categories=None, **changes
    ):
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
            if categories is not None:
                current.categories.set(categories)
                self.__dict__.pop("category_slugs", None)  # which may have been read before
            if changes or categories is not None:
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

    def stocktake(self, quantity):
        """Return the adjustment, unsaved, of `quantity` counted pieces.

        None if nothing was counted, or as many as there are. This instance must be locked. Raises
        StockOutOfBounds.
        """
        if quantity in (None, self.quantity_in_stock):
            return None
        delta = quantity - self.quantity_in_stock
        if quantity > max(MAX_STOCK, self.quantity_in_stock):
            raise StockOutOfBounds(self, delta)
        return StockAdjustment(product=self, delta=delta, reason=Reason.STOCKTAKE)

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
                raise StockOutOfBounds(self, delta)
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


# What a user chooses from: the opening is booked with the product, a return with its order.
BOOKED_ELSEWHERE = (Reason.OPENING, Reason.RETURNED)
ADJUSTMENT_REASONS = [choice for choice in Reason.choices if choice[0] not in BOOKED_ELSEWHERE]


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
