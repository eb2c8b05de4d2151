"""What is for sale, and how many are left."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone

from products.db_retry import retry_transaction
from products.managers import ProductManager
from products.search import SearchTextField

MAX_STOCK = 1_000_000_000


class StockOutOfBounds(Exception):
    """The adjustment would take the stock below 0 or above MAX_STOCK; `stock` is the current."""

    def __init__(self, stock):
        super().__init__(f"There are {stock} in stock.")
        self.stock = stock


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
    price = models.DecimalField(
        max_digits=12,
        decimal_places=2,
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
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)
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

    def save(self, *args, by=None, **kwargs):
        """Also record the stock of a new product as its opening adjustment by the user `by`."""
        if not self._state.adding:
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            super().save(*args, **kwargs)
            if self.quantity_in_stock:
                self.adjustments.create(
                    delta=self.quantity_in_stock, reason=Reason.OPENING, actor=by
                )

    @property
    def currency(self):
        return settings.SHOP_CURRENCY

    @property
    def in_stock(self):
        return self.quantity_in_stock > 0

    @property
    def available(self):
        """The quantity that can be ordered now: 0 of a retired product."""
        return self.quantity_in_stock if self.is_active else 0

    @retry_transaction
    def update_fields(self, **changes):
        """Write these fields only, and never the stock, which may have changed since it was read.

        Raises Product.DoesNotExist if the product was deleted in the meantime.
        """
        changes["modified"] = timezone.now()
        with transaction.atomic():
            # Locked: another request may be changing a field that is part of the search text.
            current = Product.objects.select_for_update(no_key=True).get(pk=self.pk)
            for field, value in changes.items():
                setattr(current, field, value)
                setattr(self, field, value)
            search_text = self._meta.get_field("search_text").get_text(current)
            products = Product.objects.filter(pk=self.pk)
            if not products.update(search_text=search_text, **changes):
                raise Product.DoesNotExist

    @retry_transaction
    def adjust_stock(self, delta, *, reason, by, note=""):
        """Add `delta` pieces to the stock, or take them if it is negative, for a Reason.

        Returns the StockAdjustment; this instance has the new stock. Raises StockOutOfBounds.
        """
        with transaction.atomic():
            # The database adds, since the stock that was read may be out of date. (Cancelled orders
            # can take it above MAX_STOCK; it can then still go down.)
            enough = Q(quantity_in_stock__gte=-delta)
            room = Q(quantity_in_stock__lte=MAX_STOCK - delta)
            updated = Product.objects.filter(enough if delta < 0 else room, pk=self.pk).update(
                quantity_in_stock=F("quantity_in_stock") + delta, modified=timezone.now()
            )
            self.refresh_from_db(fields=["quantity_in_stock", "modified"])
            if not updated:
                raise StockOutOfBounds(self.quantity_in_stock)
            return self.adjustments.create(delta=delta, reason=reason, actor=by, note=note)


class Reason(models.TextChoices):
    OPENING = "opening"
    DELIVERY = "delivery"
    STOCKTAKE = "stocktake"
    DAMAGED = "damaged"
    RETURNED = "returned"
    CORRECTION = "correction"


class StockAdjustment(models.Model):
    """A change of the stock for another reason than an order."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="adjustments")
    delta = models.IntegerField(
        "quantity change",
        validators=[MinValueValidator(-MAX_STOCK), MaxValueValidator(MAX_STOCK)],
        help_text="Pieces added (12) or taken (-2).",
    )
    reason = models.CharField(max_length=10, choices=Reason)
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

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.CheckConstraint(
                name="stock_adjustment_not_zero",
                condition=~Q(delta=0),
                violation_error_message="Must not be 0.",
            ),
            models.CheckConstraint(
                name="stock_adjustment_reason_known",
                condition=Q(reason__in=tuple(Reason.values)),
            ),
        ]

    def __str__(self):
        return f"{self.delta:+} {self.get_reason_display()}"
