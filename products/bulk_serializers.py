"""The rows of a bulk update: each names a product, and fields to change."""

from collections.abc import Mapping
from typing import ClassVar

from django.utils.functional import cached_property
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.serializers import ListSerializer

from products.categories import Category
from products.gtin import normalize_gtin
from products.models import Product
from products.serializers import GTIN_TAKEN, SKU_TAKEN, ProductSerializer
from shopply.api.fields import JSONIntegerField
from shopply.api.pagination import MAX_NUMBER

# By field: how to find products by several values, how to compare two, and what to say.
UNIQUE_FIELDS = {
    "sku": ("with_skus", str.upper, SKU_TAKEN),
    "gtin": ("with_gtins", normalize_gtin, GTIN_TAKEN),
}


class BulkListSerializer(ListSerializer):
    """Validates rows as `{product id: {field: value}}`, in their order.

    A row is about the product with its `id`; without one, that with its `sku`. All products are
    read at once, and each field that is unique is checked by one query.
    """

    default_error_messages: ClassVar = {"not_a_list": "Must be an array of objects."}

    def to_internal_value(self, data):
        is_bounded = isinstance(data, list) and len(data) <= self.max_length
        rows = [row for row in data if isinstance(row, Mapping)] if is_bounded else []
        self.find_products(rows)
        self.numbers = {}  # of rows, by the id of their product
        self.index = -1
        changes = dict(super().to_internal_value(data))
        errors = {}
        for field in UNIQUE_FIELDS:
            for index, error in self.find_taken(field, changes):
                errors.setdefault(index, {})[field] = [error]
        if errors:
            raise ValidationError(errors)
        return changes

    def find_products(self, rows):
        ids = [row.get("id") for row in rows]
        ids = {pk for pk in ids if type(pk) is int and 0 < pk <= MAX_NUMBER}
        skus = {row.get("sku") for row in rows if "id" not in row and is_sku(row.get("sku"))}
        self.by_id = Product.objects.in_bulk(ids)
        products = list(Product.objects.with_skus(map(str.strip, skus))) if skus else []
        self.by_sku = {product.sku.upper(): product for product in products}
        # Python has capitals for more letters than a database may.
        self.by_sku |= {product.sku: product for product in products}

    def find_product(self, row):
        if not isinstance(row, Mapping):
            return None
        pk, sku = row.get("id"), row.get("sku")
        if "id" in row:
            return self.by_id.get(pk) if type(pk) is int else None
        if not is_sku(sku):
            return None
        return self.by_sku.get(sku.strip()) or self.by_sku.get(sku.strip().upper())

    def run_child_validation(self, data):
        """Return the id of the row's product, and the fields to change."""
        self.index += 1
        product = self.child.instance = self.find_product(data)
        values = super().run_child_validation(data)
        name = "id" if "id" in data or "sku" not in data else "sku"
        if name not in data:
            raise row_error(name, "required", "Send the id of the product, or its SKU.")
        if product is None:
            raise row_error(name, "does_not_exist", "No product has it.")
        first = self.numbers.setdefault(product.pk, self.index)
        if first != self.index:
            raise row_error(name, "duplicate", f"/{first} is about the same product.")
        return product.pk, {field: value for field, value in values.items() if field != name}

    def find_taken(self, field, changes):
        """Yield `(index, error)` of rows whose value another product has, or another row."""
        find, normalize, message = UNIQUE_FIELDS[field]
        values = [values[field] for values in changes.values() if values.get(field)]
        if not values:
            return
        others = getattr(Product.objects, find)(values)
        owners = {normalize(getattr(other, field)): other.pk for other in others}
        for index, (pk, values) in enumerate(changes.items()):
            value = values.get(field)
            if value and owners.setdefault(normalize(value), pk) != pk:
                yield index, ErrorDetail(message, "unique")


def is_sku(value):
    return isinstance(value, str) and "\0" not in value


def row_error(name, code, message):
    return ValidationError({name: [ErrorDetail(message, code)]})


@extend_schema_serializer(
    many=False,
    examples=[
        OpenApiExample(
            "New prices, and what was counted",
            {"sku": "COF-ETH-250", "price": "12.20", "quantity_in_stock": 50},
            request_only=True,
        ),
    ],
)
class BulkProductSerializer(ProductSerializer):
    id = JSONIntegerField(
        required=False, min_value=1, max_value=MAX_NUMBER, help_text="The id of the product."
    )
    validate_gtin = None  # the list does

    @cached_property
    def all_categories(self):
        return {category.slug: category for category in Category.objects.all()}

    def find_categories(self, slugs):
        """Return as the base does; all rows by one query."""
        return {slug: self.all_categories[slug] for slug in slugs if slug in self.all_categories}

    class Meta(ProductSerializer.Meta):
        list_serializer_class = BulkListSerializer
        read_only_fields = ("created", "modified")
        extra_kwargs: ClassVar = ProductSerializer.Meta.extra_kwargs | {
            "sku": {
                "allow_blank": False,
                "help_text": "Names the product, if there is no `id`; otherwise its new SKU.",
            }
        }
