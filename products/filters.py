from decimal import Decimal

from django import forms
from django.core.validators import RegexValidator
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.filters import SearchFilter

from products.models import Product
from products.serializers import money_pattern

PRICE = {
    "pattern": money_pattern(Product.price.field),
    "refusal": "Must be a price, such as 11.90.",
}


class NoEmptyValues(forms.Form):
    """Django would take `?in_stock=` for no filter, and list everything."""

    def clean(self):
        for name in self.fields:
            if self.data.get(name) == "":
                self.add_error(name, forms.ValidationError("Leave it out, or give it a value."))
        return super().clean()


class PatternFilter(filters.CharFilter):
    """Takes what the pattern matches, which the OpenAPI document tells as well."""

    def __init__(self, *args, pattern, refusal, label, **kwargs):
        matching = RegexValidator(pattern.replace("$", r"\Z"), refusal)  # $ lets a line end follow
        super().__init__(*args, validators=[matching], strip=False, **kwargs)
        extend_schema_field({"type": "string", "pattern": pattern, "description": label})(self)


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
    min_price = PatternFilter(method="filter_price", **PRICE, label="At this price or dearer.")
    max_price = PatternFilter(method="filter_price", **PRICE, label="At this price or cheaper.")
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
        form = NoEmptyValues

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
