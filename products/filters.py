from decimal import Decimal

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.filters import SearchFilter

from products.models import Product
from shopply.api.fields import money_pattern
from shopply.api.filters import RegexFilter, RejectEmptyParamsForm

PRICE = {
    "pattern": money_pattern(Product.price.field),
    "message": "Must be a price, such as 11.90.",
}


class BoundedSearch(SearchFilter):
    """DRF's search; each word of it is a condition, and SQLite takes but a thousand."""

    MAX_LENGTH, MAX_WORDS = 200, 10
    search_description = (
        f"Words of the name, description or SKU: at most {MAX_WORDS}, of {MAX_LENGTH} characters."
    )

    def get_search_terms(self, request):
        text = request.query_params.get(self.search_param, "")
        if len(text) > self.MAX_LENGTH:
            message = f"At most {self.MAX_LENGTH} characters."
            raise ValidationError({self.search_param: message}, "max_length")
        words = [*dict.fromkeys(super().get_search_terms(request))]
        if len(words) > self.MAX_WORDS:
            message = f"At most {self.MAX_WORDS} words."
            raise ValidationError({self.search_param: message}, "too_many_words")
        return words

    def filter_queryset(self, request, products, view):
        return products.containing(self.get_search_terms(request))

    def get_schema_operation_parameters(self, view):
        (search,) = super().get_schema_operation_parameters(view)
        search["schema"]["maxLength"] = self.MAX_LENGTH
        return [search]


class ProductFilter(filters.FilterSet):
    min_price = RegexFilter(method="filter_price", **PRICE, label="At this price or dearer.")
    max_price = RegexFilter(method="filter_price", **PRICE, label="At this price or cheaper.")
    in_stock = filters.TypedChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        coerce=lambda text: text == "true",
        method="filter_in_stock",
        error_messages={"invalid_choice": "Must be true or false."},
    )
    ordering = filters.OrderingFilter(
        fields=("name", "price", "created"),
        error_messages={
            "invalid_choice": "Must be name, price or created, or one of them with - before it."
        },
    )

    class Meta:
        model = Product
        fields = ()
        form = RejectEmptyParamsForm

    @extend_schema_field(
        {
            "type": "boolean",
            "description": "`true`: only what is in stock; `false`: only what is sold out.",
        }
    )
    def filter_in_stock(self, products, name, value):
        return products.stocked() if value else products.sold_out()

    def filter_price(self, products, name, value):
        bound = products.at_least if name == "min_price" else products.at_most
        return bound(Decimal(value))

    def filter_queryset(self, queryset):
        """Products alike in what they are ordered by come by id, so that pages do not overlap."""
        products = super().filter_queryset(queryset)
        return products.order_by(*products.query.order_by, "pk")
