"""What is for sale, and how many are left."""

from dataclasses import dataclass

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

MAX_STOCK = 1_000_000_000


@dataclass(frozen=True)
class Shortage:
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
    """`shortages` has a Shortage for every line that cannot be met."""

    def __init__(self, shortages):
        super().__init__(f"{len(shortages)} lines cannot be met.")
        self.shortages = shortages


class ProductQuerySet(models.QuerySet):
    def for_sale(self):
        return self.filter(is_active=True)

    def visible_to(self, user):
        """Staff see retired products too."""
        return self if user.is_staff else self.for_sale()


class ProductManager(models.Manager.from_queryset(ProductQuerySet)):
    def take(self, quantities):
        """Take `{product id: quantity}` out of stock, all of it or nothing.

        Call it inside the transaction that records where the stock went. Returns
        `{product id: Product}` as the rows were under the lock, so prices are those of the moment.
        Raises UnknownProducts, OutOfStock.
        """
        # Locked until the transaction ends, in the order of their ids, so that two takers of the
        # same rows queue up instead of each waiting for the other. (SQLite: the transaction began
        # by locking the database.)
        locked = self.select_for_update(no_key=True).filter(pk__in=quantities).order_by("pk")
        products = {product.pk: product for product in locked}
        unknown = [pk for pk in quantities if pk not in products]
        if unknown:
            raise UnknownProducts(unknown)
        shortages = [
            Shortage(product, requested=quantities[pk], available=product.available)
            for pk, product in products.items()
            if product.available < quantities[pk]
        ]
        if shortages:
            raise OutOfStock(shortages)
        taken = Case(*(When(pk=pk, then=Value(n)) for pk, n in quantities.items()))
        self.filter(pk__in=quantities).update(
            quantity_in_stock=F("quantity_in_stock") - taken, modified=timezone.now()
        )
        return products


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
    is_active = models.BooleanField(
        "for sale", default=True, help_text="Off: retired, seen by staff only."
    )
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    objects = ProductManager()

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.CheckConstraint(name="product_price_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(
                name="product_stock_not_negative", condition=Q(quantity_in_stock__gte=0)
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.sku})"

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

    def revise(self, **changes):
        """Write just these fields.

        Never the whole row: it holds the stock as it was read, and would undo the sales since.
        """
        for field, value in changes.items():
            setattr(self, field, value)
        self.save(update_fields=[*changes, "modified"])
