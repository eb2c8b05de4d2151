from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.filters import SearchFilter

from products.models import Product

PRICE = Product.price.field
PRICE_LIMITS = {"max_digits": PRICE.max_digits, "decimal_places": PRICE.decimal_places}


class BoundedSearch(SearchFilter):
    """DRF's search; each word of it is a condition, and SQLite takes but a thousand."""

    MAX_LENGTH = 200
    search_description = f"Words of the name, description or SKU, at most {MAX_LENGTH} characters."

    def get_search_terms(self, request):
        text = request.query_params.get(self.search_param, "")
        if len(text) > self.MAX_LENGTH:
            raise ValidationError({self.search_param: f"At most {self.MAX_LENGTH} characters."})
        return super().get_search_terms(request)


class ProductFilter(filters.FilterSet):
    min_price = filters.NumberFilter(
        "price", "gte", **PRICE_LIMITS, label="At this price or dearer."
    )
    max_price = filters.NumberFilter(
        "price", "lte", **PRICE_LIMITS, label="At this price or cheaper."
    )
    in_stock = filters.TypedChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        coerce=lambda text: text == "true",
        method="filter_in_stock",
        error_messages={"invalid_choice": "Must be true or false."},
        label="`true`: only what is in stock; `false`: only what is sold out.",
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

    @extend_schema_field(bool)
    def filter_in_stock(self, products, name, value):
        return (
            products.filter(quantity_in_stock__gt=0)
            if value
            else products.filter(quantity_in_stock=0)
        )

    def filter_queryset(self, queryset):
        """Products alike in what they are ordered by come by id, so that pages do not overlap."""
        products = super().filter_queryset(queryset)
        return products.order_by(*products.query.order_by, "pk")
