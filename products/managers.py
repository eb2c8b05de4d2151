"""Finding products and taking their stock: `Product.objects`."""

import json
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, connection, models
from django.db.models import BigIntegerField, Value
from django.db.models.functions import Cast, Coalesce, Upper
from django.utils import timezone

from products.gtin import normalize_gtin
from products.search import normalize
from shopply.api.permissions import is_allowed
from shopply.api.sql import columns, fetch, fetch_rows, placeholders, read_clock

MAX_ID = 2**63 - 1  # of a bigint
# Limits of LOW_STOCK_AT up to which an index finds the products (`Product.stock_band`).
STOCK_BANDS = (5, 10, 20, 50, 100, 200, 500, 1_000)
WRITE_BATCH_SIZE = 500  # rows of a statement, which stays far below its time limit
COUNT_LIMIT = 5_000  # for searches and filters: counting a million takes a second


@dataclass(frozen=True)
class StockShortage:
    """An item of which there is not enough in stock."""

    product: models.Model
    requested: int

    @property
    def available(self):
        return self.product.quantity_in_stock


class OutOfStock(Exception):
    """`shortages` has a StockShortage for every item that cannot be supplied.

    `available` is `{product id: quantity}`: the part of the order that can be supplied.
    """

    def __init__(self, shortages, available):
        super().__init__(f"{len(shortages)} items cannot be supplied.")
        self.shortages = shortages
        self.available = available


class NotForSale(OutOfStock):
    """The products `ids` are retired, or there are none; others may be short besides."""

    def __init__(self, ids, shortages, available):
        super().__init__(shortages, available)
        self.ids = ids


class RevisionChanged(Exception):
    """The product or category was changed since the client read it."""


class IdempotencyKeyReused(Exception):
    """The user sent this idempotency key with another request."""


# The rows of `{product id: quantity}`, sent as one JSON object.
JSON_EACH = {"postgresql": "json_each_text(%s::json)", "sqlite": "json_each(%s)"}

# Rows are locked in the order of their ids: two orders of the same products then queue, and do not
# deadlock. (SQLite has no row locks: its transactions begin by locking the database.)
CHANGE_STOCK = """
WITH change (pk, quantity) AS (
    SELECT CAST(key AS bigint), CAST(value AS bigint) FROM {json_each}
), locked AS (
    SELECT id, quantity, {guard} AS is_allowed
    FROM products_product JOIN change ON id = pk ORDER BY id {for_update}
)
UPDATE products_product SET quantity_in_stock = quantity_in_stock + quantity, modified = {clock}
FROM locked WHERE products_product.id = locked.id
    AND (SELECT count(*) FROM locked WHERE is_allowed) = %s
RETURNING {columns}
"""
# The database compares and subtracts in one step, since a stock that was read may be out of date.
ENOUGH_IN_STOCK = "is_active AND quantity_in_stock + quantity >= 0"


def sees_retired(user):
    """Return whether the user sees products that are not for sale."""
    return is_allowed(user, "products.view_product")


class ProductQuerySet(models.QuerySet):
    def for_sale(self):
        return self.filter(is_active=True)

    def visible_to(self, user):
        """Return all products for staff, those for sale for others."""
        return self if sees_retired(user) else self.for_sale()

    def with_skus(self, skus):
        """Return products with one of these SKUs, regardless of case."""
        # The database changes the case on both sides: its capitals are not always those of Python.
        products = self.alias(sku_any_case=Upper("sku"))
        return products.filter(sku_any_case__in=[Upper(Value(sku)) for sku in skus])

    def in_categories(self, ids):
        """Return products in one of these categories, of which `ids_within` has the ids."""
        links = self.model.categories.through.objects.filter(category__in=ids)
        return self.filter(pk__in=links.values("product"))

    def with_gtins(self, gtins):
        """Return products with one of these GTINs, in any of their forms."""
        products = self.alias(gtin_number=Cast("gtin", BigIntegerField()))
        return products.filter(gtin_number__in=[normalize_gtin(gtin) for gtin in gtins])

    def min_price(self, price):
        return self.filter(price__gte=price)

    def max_price(self, price):
        return self.filter(price__lte=price)

    def in_stock(self):
        return self.filter(sold_out=False)

    def sold_out(self):
        return self.filter(sold_out=True)

    def low(self):
        """Return products whose stock is at `low_stock_at` or below it, sold out or not."""
        default = settings.LOW_STOCK_AT
        band = min(limit for limit in STOCK_BANDS if limit >= default)
        limit = Coalesce("low_stock_at", default)
        return self.filter(stock_band__lte=band, quantity_in_stock__lte=limit)

    def search(self, words):
        """Return products with each word in name, SKU or description (`products.search`)."""
        for word in words:
            self = self.filter(search_text__contains=normalize(word))
        return self

    def via_subquery(self, limit):
        """Return the same products, of which there must be fewer than `limit`.

        PostgreSQL then finds them by the search index and sorts them. Otherwise it often walks
        through all products in their order until it has found enough.
        """
        ids = self.order_by().values("pk")[:limit]
        return self.model.objects.filter(pk__in=ids).order_by(*self.query.order_by)


class ProductManager(models.Manager.from_queryset(ProductQuerySet)):
    def fetch_visible_to(self, user, start, stop):
        """Return the same as `visible_to(user)[start:stop]`, by SQL text: see `shopply.api.sql`."""
        where = "" if sees_retired(user) else "WHERE is_active"
        sql = f"SELECT {columns(self.model)} FROM products_product {where}"  # noqa: S608
        return fetch(self.model, f"{sql} ORDER BY id LIMIT %s OFFSET %s", [stop - start, start])

    def get_visible_to(self, user, pk):
        """Return the same as `visible_to(user).get(pk=pk)`. Raises Product.DoesNotExist."""
        where = "id = %s" if sees_retired(user) else "id = %s AND is_active"
        sql = f"SELECT {columns(self.model)} FROM products_product WHERE {where}"  # noqa: S608
        products = fetch(self.model, sql, [pk]) if pk <= MAX_ID else []
        if not products:
            raise self.model.DoesNotExist
        return products[0]

    def count_visible_to(self, user):
        """Return the same as `visible_to(user).count()`; on PostgreSQL triggers keep the number."""
        if connection.vendor != "postgresql":
            return self.visible_to(user).count()
        with connection.cursor() as cursor:
            cursor.execute("SELECT for_sale, retired FROM products_counts")
            for_sale, retired = cursor.fetchone()
        return for_sale + retired if sees_retired(user) else for_sale

    def load_related(self, products, user):
        """Load pictures of these products, and the categories that the user sees."""
        self.model.images.rel.related_model.objects.load_lists(products)
        self.model.categories.field.related_model.objects.load_slugs(products, user)

    def check_availability(self, quantities):
        """Return `{product id: Product}` for `{product id: quantity}`, ordered by id.

        Raises NotForSale, OutOfStock.
        """
        ids = [pk for pk in quantities if pk <= MAX_ID] or [0]
        sql = f"SELECT {columns(self.model)} FROM products_product"  # noqa: S608
        where = f"WHERE is_active AND id IN ({placeholders(ids)}) ORDER BY id"
        products = {product.pk: product for product in fetch(self.model, f"{sql} {where}", ids)}
        not_for_sale = [pk for pk in quantities if pk not in products]
        shortages = [
            StockShortage(product, requested=quantities[pk])
            for pk, product in products.items()
            if product.quantity_in_stock < quantities[pk]
        ]
        available = {
            pk: min(quantity, products[pk].quantity_in_stock)
            for pk, quantity in quantities.items()
            if pk in products and products[pk].in_stock
        }
        if not_for_sale:
            raise NotForSale(not_for_sale, shortages, available)
        if shortages:
            raise OutOfStock(shortages, available)
        return products

    def take_stock(self, quantities):
        """Take `{product id: quantity}` out of stock, all of it or nothing.

        Call it in the transaction that writes the order, which an exception must roll back. Returns
        `{product id: row of the Product}` with current prices. Raises NotForSale, OutOfStock.
        """
        # No product has a larger id, or as much in stock.
        changes = {pk: -n for pk, n in quantities.items() if max(pk, n) <= MAX_ID}
        products = self._change_stock(changes, guard=ENOUGH_IN_STOCK)
        if not products:
            self.check_availability(quantities)  # raises, since the rows it reads are locked
        return products

    def restock(self, quantities):
        """Put `{product id: quantity}` of an order back, in the transaction that locked it.

        Returns `{product id: row of the Product}`.
        """
        return self._change_stock(quantities, guard="true")

    def write_all(self, new, changes, adjustments, *, by):
        """Do as `save`, `update_fields` and `adjust_stock` of many products, in few statements.

        Call it in the transaction that locked the products of `changes`, `{product: {field:
        value}}`, and of the unsaved `adjustments`, which keep the stock within bounds. `new` ones
        have their opening stock, and are pairs of a product and its categories.
        """
        now = read_clock()
        for product, _ in new:
            product.created = product.modified = now
        self.bulk_create([product for product, _ in new], batch_size=WRITE_BATCH_SIZE)
        categories = dict(new)
        for product, values in changes.items():
            product.modified = now
            product.revision += bool(values)
            if "categories" in values:
                categories[product] = values.pop("categories")
            for field, value in values.items():
                setattr(product, field, value)
        for adjustment in adjustments:
            adjustment.product.quantity_in_stock += adjustment.delta
            adjustment.quantity_in_stock = adjustment.product.quantity_in_stock
            adjustment.actor = by
        fields = {field for values in changes.values() for field in values}
        fields |= {"quantity_in_stock", "modified", "revision", "search_text"}
        # An upsert of rows that are there: `bulk_update` takes ten times as long.
        self.bulk_create(
            changes,
            batch_size=WRITE_BATCH_SIZE,
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=fields,
        )
        self._set_categories(categories)
        openings = [
            self.adjustment_class.opening(product, by)
            for product, _ in new
            if product.quantity_in_stock
        ]
        self.adjustment_class.objects.bulk_create(
            [*openings, *adjustments], batch_size=WRITE_BATCH_SIZE
        )

    @property
    def adjustment_class(self):
        return self.model.adjustments.rel.related_model

    def update_many(self, changes, *, by):
        """Do as `update_fields` of many products: `{id: {field: value}}`.

        Call it in the transaction that an exception must roll back. Raises StockOutOfBounds, and
        IntegrityError if a product was deleted in the meantime.
        """
        rows = self.filter(pk__in=changes).order_by("pk").select_for_update(no_key=True)
        products = {product.pk: product for product in rows}
        if len(products) < len(changes):
            raise IntegrityError("A product was deleted.")
        values, adjustments = {}, []
        for pk, fields in changes.items():
            product = products[pk]
            values[product] = {name: fields[name] for name in fields if name != "quantity_in_stock"}
            if adjustment := product.stocktake(fields.get("quantity_in_stock")):
                adjustments.append(adjustment)
        self.write_all([], values, adjustments, by=by)

    def _set_categories(self, categories):
        """Put products into these categories, and no others: `{product: [Category]}`."""
        links = self.model.categories.through.objects
        links.filter(product__in=categories).delete()
        links.bulk_create(
            [
                links.model(product=product, category=category)
                for product, chosen in categories.items()
                for category in chosen
            ],
            batch_size=WRITE_BATCH_SIZE,
        )

    def _change_stock(self, quantities, *, guard):
        """Return the changed products, or none if the guard does not hold for each of them."""
        is_postgresql = connection.vendor == "postgresql"
        sql = CHANGE_STOCK.format(
            json_each=JSON_EACH[connection.vendor],
            for_update="FOR NO KEY UPDATE OF products_product" if is_postgresql else "",
            clock="clock_timestamp()" if is_postgresql else "%s",  # see `read_clock`
            guard=guard,
            columns=columns(self.model),
        )
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        clock = [] if is_postgresql else [now]
        products = fetch_rows(self.model, sql, [json.dumps(quantities), *clock, len(quantities)])
        return {product.id: product for product in products}


def find_first(rows, key, fingerprint):
    """Return that of these rows of a user which was made with this idempotency key.

    Returns None without a key, or if it is unused. Raises IdempotencyKeyReused if it came with
    another request.
    """
    row = rows.filter(idempotency_key=key).first() if key else None
    if row and row.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    return row


class StockAdjustmentManager(models.Manager):
    def booked_by(self, user, key, fingerprint):
        """Return what `find_first` finds, marked `replayed`."""
        adjustments = self.filter(actor=user).select_related("product")
        adjustment = find_first(adjustments, key, fingerprint)
        if adjustment:
            adjustment.replayed = True
        return adjustment
