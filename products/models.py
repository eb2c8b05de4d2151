"""What is for sale, and how many are left."""

from dataclasses import dataclass

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.utils import timezone

from products.narrowing import NarrowedQuerySet
from products.records import ProductRecord, places, product_records
from products.retries import retried

MAX_STOCK = 1_000_000_000


@dataclass(frozen=True)
class Shortage:
    """A line that cannot be met: `available` is 0 for a product that was retired."""

    product: ProductRecord
    requested: int
    available: int


class UnknownProducts(Exception):
    """`ids` are of no product."""

    def __init__(self, ids):
        super().__init__(f"No product has the id {', '.join(map(str, ids))}.")
        self.ids = ids


class OutOfStock(Exception):
    """`shortages` has a Shortage for every line that cannot be met.

    `available` is `{product id: quantity}`: of all that was asked for, what can be had.
    """

    def __init__(self, shortages, available):
        super().__init__(f"{len(shortages)} lines cannot be met.")
        self.shortages = shortages
        self.available = available


class StockOutOfBounds(Exception):
    """The adjustment would take the stock below 0 or over MAX_STOCK; `stock` is what there is."""

    def __init__(self, stock):
        super().__init__(f"There are {stock} in stock.")
        self.stock = stock


class ProductQuerySet(NarrowedQuerySet):
    def for_sale(self):
        return self.filter(is_active=True)

    def visible_to(self, user):
        """Staff see retired products too."""
        return self if user.is_staff else self.for_sale()


class ProductManager(models.Manager.from_queryset(ProductQuerySet)):
    def supplying(self, quantities, *, locked=False):
        """`{product id: ProductRecord}` for `{product id: quantity}`, in the order of the ids.

        Raises UnknownProducts, OutOfStock.
        """
        products = product_records(quantities, locked=locked)
        unknown = [pk for pk in quantities if pk not in products]
        if unknown:
            raise UnknownProducts(unknown)
        shortages = [
            Shortage(product, requested=quantities[pk], available=product.available)
            for pk, product in products.items()
            if product.available < quantities[pk]
        ]
        if shortages:
            available = {
                pk: min(quantity, products[pk].available)
                for pk, quantity in quantities.items()
                if products[pk].available
            }
            raise OutOfStock(shortages, available)
        return products

    def take(self, quantities):
        """Take `{product id: quantity}` out of stock, all of it or nothing.

        Call it inside the transaction that records where the stock went. Returns
        `{product id: ProductRecord}` as the rows are under the lock, so prices are those of the
        moment. Raises UnknownProducts, OutOfStock.
        """
        products = self.supplying(quantities, locked=True)
        self._move_stock({pk: -quantity for pk, quantity in quantities.items()})
        return products

    def put_back(self, quantities):
        """Put `{product id: quantity}` back, inside the transaction that undoes their order."""
        product_records(quantities, locked=True)
        self._move_stock(quantities)

    def _move_stock(self, deltas):
        """In SQL: to have the ORM build as many cases takes longer than all the order's writes."""
        cases = " WHEN %s THEN %s" * len(deltas)
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE products_product SET modified = %s,"  # noqa: S608  no value is in the text
                f" quantity_in_stock = quantity_in_stock + CASE id{cases} END"
                f" WHERE id IN ({places(deltas)})",
                [now, *(part for case in deltas.items() for part in case), *deltas],
            )


class Product(models.Model):
    name = models.CharField(max_length=200)
    description = models.TextField(max_length=5000, blank=True)
    sku = models.CharField(
        "SKU",
        max_length=40,
        unique=True,
        help_text="Stock keeping unit: the shop's own code of the product.",
        error_messages={"unique": "Another product has this SKU."},
    )
    price = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        help_text="Of one piece, in the shop's currency.",
    )
    quantity_in_stock = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(MAX_STOCK)]
    )
    # For an index: one of the stock itself would have each sale of PostgreSQL write to all indexes.
    sold_out = models.GeneratedField(
        expression=Q(quantity_in_stock=0), output_field=models.BooleanField(), db_persist=True
    )
    is_active = models.BooleanField(
        "for sale", default=True, help_text="Off: retired, seen by staff only."
    )
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    objects = ProductManager()

    class Meta:
        ordering = ("pk",)
        # In any order products alike come by id. Pages far from both ends are counted off in these.
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
        ]

    def __str__(self):
        return f"{self.name} ({self.sku})"

    currency = ProductRecord.currency
    in_stock = ProductRecord.in_stock
    available = ProductRecord.available

    @retried
    def introduce(self, *, by):
        """Save a new product, its stock booked as an opening adjustment made by the user `by`."""
        with transaction.atomic():
            self.save(force_insert=True)
            if self.quantity_in_stock:
                self.adjustments.create(
                    delta=self.quantity_in_stock, reason=Reason.OPENING, actor=by
                )

    @retried
    def revise(self, **changes):
        """Write just these fields.

        Never the whole row: it holds the stock as it was read, and would undo the sales since.
        Raises Product.DoesNotExist if it was deleted in the meantime.
        """
        changes["modified"] = timezone.now()
        for field, value in changes.items():
            setattr(self, field, value)
        if not Product.objects.filter(pk=self.pk).update(**changes):
            raise Product.DoesNotExist

    @retried
    def adjust_stock(self, delta, *, reason, by, note=""):
        """Book `delta` pieces in or out, for a Reason.

        Returns the StockAdjustment; this instance has the new stock. Raises StockOutOfBounds.
        """
        with transaction.atomic():
            # The database adds: what this process has read may be out of date.
            # (Cancelled orders may bring it over MAX_STOCK; it can then still go down.)
            enough = Q(quantity_in_stock__gte=-delta)
            room = Q(quantity_in_stock__lte=MAX_STOCK - delta)
            moved = Product.objects.filter(enough if delta < 0 else room, pk=self.pk).update(
                quantity_in_stock=F("quantity_in_stock") + delta, modified=timezone.now()
            )
            self.refresh_from_db(fields=["quantity_in_stock", "modified"])
            if not moved:
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
    """Stock that moved for another reason than an order."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="adjustments")
    delta = models.IntegerField(
        validators=[MinValueValidator(-MAX_STOCK), MaxValueValidator(MAX_STOCK)],
        help_text="Pieces that came (12) or went (-2).",
    )
    reason = models.CharField(max_length=10, choices=Reason)
    note = models.CharField(max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
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
