"""What is for sale, and how many are left."""

import json
from dataclasses import dataclass

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone

from products.db_retry import retried
from products.search import SearchTextField, normalize
from shopply.api.sql import columns, fetch, fetch_rows, placeholders

MAX_STOCK = 1_000_000_000
MAX_ID = 2**63 - 1  # of a bigint
COUNT_LIMIT = 10_000  # what is found is counted up to this: to count a million takes a second


@dataclass(frozen=True)
class StockShortage:
    """A line that cannot be met: `available` is 0 for a product that was retired."""

    product: "Product"
    requested: int
    available: int


class UnknownProducts(Exception):
    """`ids` are of no product."""

    def __init__(self, ids):
        super().__init__(f"No product has the id {', '.join(map(str, ids))}.")
        self.ids = ids


class OutOfStock(Exception):
    """`shortages` has a StockShortage for every line that cannot be met.

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


# The rows of `{product id: quantity}`, sent as one JSON object.
JSON_EACH = {"postgresql": "json_each_text(%s::json)", "sqlite": "json_each(%s)"}

# Rows are locked in the order of their ids: two orders of the same products queue up, instead of
# each waiting for the other. (SQLite has no row locks: its transactions begin by locking all.)
MOVE_STOCK = """
WITH moved (pk, quantity) AS (
    SELECT CAST(key AS bigint), CAST(value AS bigint) FROM {json_each}
), locked AS (
    SELECT id, quantity, {guard} AS is_allowed
    FROM products_product JOIN moved ON id = pk ORDER BY id {for_update}
)
UPDATE products_product SET quantity_in_stock = quantity_in_stock + quantity, modified = %s
FROM locked WHERE products_product.id = locked.id
    AND (SELECT count(*) FROM locked WHERE is_allowed) = %s
RETURNING {columns}
"""
# The database compares and subtracts in one step: what was read before may be out of date.
ENOUGH_IN_STOCK = "is_active AND quantity_in_stock + quantity >= 0"


class ProductQuerySet(models.QuerySet):
    def for_sale(self):
        return self.filter(is_active=True)

    def visible_to(self, user):
        """Staff see retired products too."""
        return self if user.is_staff else self.for_sale()

    def min_price(self, price):
        return self.filter(price__gte=price)

    def max_price(self, price):
        return self.filter(price__lte=price)

    def in_stock(self):
        return self.filter(sold_out=False)

    def sold_out(self):
        return self.filter(sold_out=True)

    def search(self, words):
        """Those that have each of the words in name, SKU or description (`products.search`)."""
        for word in words:
            self = self.filter(search_text__contains=normalize(word))
        return self

    def count_up_to(self, limit):
        return self.order_by()[:limit].count()


class ProductManager(models.Manager.from_queryset(ProductQuerySet)):
    def fetch_visible_to(self, user, start, stop):
        """Return the same as `visible_to(user)[start:stop]`, by SQL text: see `shopply.api.sql`."""
        where = "" if user.is_staff else "WHERE is_active"
        sql = f"SELECT {columns(self.model)} FROM products_product {where}"  # noqa: S608
        return fetch(self.model, f"{sql} ORDER BY id LIMIT %s OFFSET %s", [stop - start, start])

    def get_visible_to(self, user, pk):
        """Return the same as `visible_to(user).get(pk=pk)`. Raises Product.DoesNotExist."""
        where = "id = %s" if user.is_staff else "id = %s AND is_active"
        sql = f"SELECT {columns(self.model)} FROM products_product WHERE {where}"  # noqa: S608
        products = fetch(self.model, sql, [pk]) if pk <= MAX_ID else []
        if not products:
            raise self.model.DoesNotExist
        return products[0]

    def count_visible_to(self, user):
        """Return the same as `visible_to(user).count()`, of which PostgreSQL keeps count."""
        if connection.vendor != "postgresql":
            return self.visible_to(user).count()
        with connection.cursor() as cursor:
            cursor.execute("SELECT for_sale, retired FROM products_counts")
            for_sale, retired = cursor.fetchone()
        return for_sale + retired if user.is_staff else for_sale

    def check_availability(self, quantities):
        """Return `{product id: Product}` for `{product id: quantity}`, in the order of the ids.

        Raises UnknownProducts, OutOfStock.
        """
        ids = [pk for pk in quantities if pk <= MAX_ID] or [0]
        sql = f"SELECT {columns(self.model)} FROM products_product"  # noqa: S608
        where = f"WHERE id IN ({placeholders(ids)}) ORDER BY id"
        products = {product.pk: product for product in fetch(self.model, f"{sql} {where}", ids)}
        unknown = [pk for pk in quantities if pk not in products]
        if unknown:
            raise UnknownProducts(unknown)
        shortages = [
            StockShortage(product, requested=quantities[pk], available=product.available)
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

    def take_stock(self, quantities):
        """Take `{product id: quantity}` out of stock, all of it or nothing.

        Call it inside the transaction that records where the stock went, and that rolls back what
        was taken if anything is raised. Returns `{product id: row of the Product}`, with the prices
        of the moment. Raises UnknownProducts, OutOfStock.
        """
        # No product has a larger id, nor as much in stock.
        moves = {pk: -n for pk, n in quantities.items() if max(pk, n) <= MAX_ID}
        products = self._move_stock(moves, guard=ENOUGH_IN_STOCK)
        if not products:
            self.check_availability(quantities)  # raises: the rows it reads are locked
        return products

    def restock(self, quantities):
        """Put `{product id: quantity}` back, inside the transaction that cancels their order."""
        self._move_stock(quantities, guard="true")

    def _move_stock(self, quantities, *, guard):
        """Return the products, or none if the guard does not hold for each of them."""
        sql = MOVE_STOCK.format(
            json_each=JSON_EACH[connection.vendor],
            for_update=(
                "FOR NO KEY UPDATE OF products_product"
                if connection.features.has_select_for_update
                else ""
            ),
            guard=guard,
            columns=columns(self.model),
        )
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        products = fetch_rows(self.model, sql, [json.dumps(quantities), now, len(quantities)])
        return {product.id: product for product in products}


class Product(models.Model):
    name = models.CharField(max_length=200)
    description = models.TextField(max_length=5000, blank=True)
    sku = models.CharField(  # noqa: DJ001  null, as many products have none
        "SKU",
        max_length=40,
        null=True,
        blank=True,
        help_text="Stock keeping unit: the shop's own code of the product.",
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
    search_text = SearchTextField(sources=("name", "sku", "description"))

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
            models.UniqueConstraint(
                Upper("sku"),
                name="product_sku_any_case",
                violation_error_message="Another product has this SKU.",
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.sku})" if self.sku else self.name

    def save(self, *args, by=None, **kwargs):
        """Also books the stock of a new row as its opening, made by the user `by`."""
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
        """How many can be ordered now: none of a retired product."""
        return self.quantity_in_stock if self.is_active else 0

    @retried
    def revise(self, **changes):
        """Write just these fields, never the stock, which may have moved since it was read.

        Raises Product.DoesNotExist if it was deleted in the meantime.
        """
        changes["modified"] = timezone.now()
        with transaction.atomic():
            # Locked: the search text is made of fields of which another may be changing one.
            current = Product.objects.select_for_update(no_key=True).get(pk=self.pk)
            for field, value in changes.items():
                setattr(current, field, value)
                setattr(self, field, value)
            search_text = self._meta.get_field("search_text").text_of(current)
            products = Product.objects.filter(pk=self.pk)
            if not products.update(search_text=search_text, **changes):
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
