from decimal import Decimal

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.filters import SearchFilter

from products.models import Product
from products.search import normalize, split_words
from shopply.api.fields import money_pattern
from shopply.api.filters import (
    EMPTY_PARAMETER,
    FilterSet,
    RegexFilter,
    RegexInFilter,
    RejectEmptyParamsForm,
    UTCDateTimeFilter,
)
from shopply.api.pagination import MAX_NUMBER
from shopply.api.schema import NOT_BLANK

PRICE = {
    "pattern": money_pattern(Product.price.field),
    "message": "Must be a price, such as 11.90.",
}


class LimitedSearchFilter(SearchFilter):
    """DRF's search, by `ProductQuerySet.search` and with a limited number of words."""

    MAX_LENGTH, MAX_WORDS = 200, 10
    search_description = (
        f"Words of the name, description or SKU: at most {MAX_WORDS}, of {MAX_LENGTH} characters. "
        "Case, accents and the form of apostrophes do not matter; a phrase goes in double quotes."
    )

    def get_search_terms(self, request):
        text = request.query_params.get(self.search_param)
        if text is None:
            return []
        if not text.strip():
            raise self.error(EMPTY_PARAMETER, "blank")
        if len(text) > self.MAX_LENGTH:
            raise self.error(f"At most {self.MAX_LENGTH} characters.", "max_length")
        words = split_words(text)
        if len(words) > self.MAX_WORDS:
            raise self.error(f"At most {self.MAX_WORDS} words.", "too_many_words")
        if not all(map(normalize, words)):
            raise self.error("An accent alone is not a word.", "invalid")
        return words

    def error(self, message, code):
        return ValidationError({self.search_param: message}, code)

    def filter_queryset(self, request, products, view):
        return products.search(self.get_search_terms(request))

    def get_schema_operation_parameters(self, view):
        (search,) = super().get_schema_operation_parameters(view)
        search["schema"] |= {"maxLength": self.MAX_LENGTH, "pattern": NOT_BLANK}
        return [search]


class ProductFilter(FilterSet):
    id = RegexInFilter(
        pattern="^[1-9][0-9]{0,17}$",
        message="Must be ids, with commas between them.",
        label="Only products with one of these ids.",
        schema={"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_NUMBER},
    )
    sku = RegexInFilter(
        method="filter_sku",
        pattern="^[^,]{1,40}$",
        message="Must be SKUs of up to 40 characters, with commas between them.",
        label="Only products with one of these SKUs, regardless of case.",
    )
    min_price = RegexFilter(method="filter_price", **PRICE, label="The lowest price.")
    max_price = RegexFilter(method="filter_price", **PRICE, label="The highest price.")
    in_stock = filters.TypedChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        coerce=lambda text: text == "true",
        method="filter_in_stock",
        error_messages={"invalid_choice": "Must be true or false."},
    )
    modified_after = UTCDateTimeFilter(
        "modified", "gte", label="Changed at this time or later, by a sale too."
    )
    ordering = filters.OrderingFilter(
        fields=("name", "price", "created", "modified"),
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

    def filter_sku(self, products, name, value):
        return products.with_skus(sku.strip() for sku in value)

    def filter_price(self, products, name, value):
        return getattr(products, name)(Decimal(value))

    def filter_queryset(self, queryset):
        """Order equal products by id, so that pages do not overlap."""
        products = super().filter_queryset(queryset)
        return products.order_by(*products.query.order_by, "pk")
