from decimal import Decimal

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from products.categories import SLUG_MESSAGE, SLUG_PATTERN, Category
from products.gtin import GTIN_PATTERN
from products.models import Product
from products.search import normalize, split_words
from shopply.api.fields import MONEY_EXAMPLE, MoneyField, money_pattern
from shopply.api.filters import (
    FilterSet,
    RegexFilter,
    RegexInFilter,
    RejectEmptyParamsForm,
    UTCDateTimeFilter,
)
from shopply.api.pagination import MAX_NUMBER
from shopply.api.search import LimitedSearchFilter

PRICE = {
    "pattern": money_pattern(MoneyField(max_digits=Product.price.field.max_digits)),
    "message": f"Must be a price, such as {MONEY_EXAMPLE}.",
}


class ProductSearchFilter(LimitedSearchFilter):
    """Finds products by `ProductQuerySet.search`."""

    search_description = (
        "Words of the name, description or SKU. Case, accents and the form of apostrophes do not "
        f"matter. {LimitedSearchFilter.search_description}"
    )

    def split_words(self, text):
        words = split_words(text)
        if not all(map(normalize, words)):
            raise self.error("An accent alone is not a word.", "invalid")
        return words

    def filter_queryset(self, request, products, view):
        return products.search(self.get_search_terms(request))


class ProductFilter(FilterSet):
    id = RegexInFilter(
        pattern="^[1-9][0-9]{0,17}$",
        message="Must be ids, of up to 18 digits each, with commas between them.",
        label="Only products with one of these ids.",
        schema={"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_NUMBER},
    )
    sku = RegexInFilter(
        method="filter_sku",
        pattern="^[^,]{1,40}$",
        message="Must be SKUs of up to 40 characters, with commas between them.",
        label="Only products with one of these SKUs, regardless of case.",
    )
    category = RegexInFilter(
        method="filter_category",
        pattern=SLUG_PATTERN,
        message=SLUG_MESSAGE,
        label="Only products in one of the categories with these slugs, or below it.",
    )
    gtin = RegexInFilter(
        method="filter_gtin",
        pattern=GTIN_PATTERN,
        message="Must be GTINs of 8, 12, 13 or 14 digits, with commas between them.",
        label="Only products with one of these GTINs; leading zeros do not matter.",
    )
    min_price = RegexFilter(method="filter_price", **PRICE, label="The lowest price.")
    max_price = RegexFilter(method="filter_price", **PRICE, label="The highest price.")
    in_stock = filters.TypedChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        coerce=lambda text: text == "true",
        method="filter_in_stock",
        error_messages={"invalid_choice": "Must be true or false."},
    )
    low = filters.ChoiceFilter(
        choices=[("true", "true")],
        method="filter_low",
        error_messages={"invalid_choice": "Must be true."},
    )
    modified_after = UTCDateTimeFilter(
        "modified", "gte", label="Changed at this time or later, by a sale too."
    )
    ordering = filters.OrderingFilter(
        fields=("name", "price", "created", "modified"),
        label="How to order the list; by several, separate them with commas.",
        error_messages={
            "invalid_choice": "Must be name, price, created or modified; - before it reverses the "
            "order."
        },
    )

    class Meta:
        model = Product
        fields = ()
        form = RejectEmptyParamsForm

    @extend_schema_field(
        {
            "type": "boolean",
            "description": "`true`: only products in stock; `false`: only sold-out ones.",
        }
    )
    def filter_in_stock(self, products, name, value):
        return products.in_stock() if value else products.sold_out()

    @extend_schema_field(
        {
            "type": "string",
            "enum": ["true"],
            "description": "For staff: only products for sale that run low or are sold out, by "
            "their `low_stock_at`.",
        }
    )
    def filter_low(self, products, name, value):
        return products.for_sale().low()

    def filter_gtin(self, products, name, value):
        return products.with_gtins(value)

    def filter_sku(self, products, name, value):
        return products.with_skus(sku.strip() for sku in value)

    def filter_category(self, products, name, value):
        categories = Category.objects.visible_to(self.request.user)
        return products.in_categories(categories.ids_within(value))

    def filter_price(self, products, name, value):
        return getattr(products, name)(Decimal(value))

    def filter_queryset(self, queryset):
        """Order equal products by id, so that pages do not overlap."""
        products = super().filter_queryset(queryset)
        return products.order_by(*products.query.order_by, "pk")
