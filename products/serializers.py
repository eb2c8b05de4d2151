from typing import ClassVar

from django.utils.functional import cached_property
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from products.categories import MAX_PER_PRODUCT, Category
from products.gtin import GTIN_PATTERN, validate_check_digit, validate_digits
from products.image_serializers import IMAGE_EXAMPLE, ProductImageSerializer, serialize_image
from products.managers import sees_retired
from products.models import ADJUSTMENT_REASONS, MAX_STOCK, Product, StockAdjustment
from shopply.api.fields import (
    CaseInsensitiveUniqueValidator,
    CharField,
    JSONIntegerField,
)
from shopply.api.money import format_money
from shopply.api.permissions import require
from shopply.api.serializers import ModelSerializer

SKU_TAKEN = "Another product has this SKU."
GTIN_TAKEN = "Another product has this GTIN."

PRODUCT_EXAMPLE = OpenApiExample(
    "A product",
    {
        "id": 1,
        "name": "Yirgacheffe Kochere, 250 g",
        "description": "Washed Ethiopian coffee, light roast. Jasmine, lemon peel, black tea.",
        "sku": "COF-ETH-250",
        "gtin": "9521234567806",
        "price": "11.90",
        "currency": "EUR",
        "quantity_in_stock": 84,
        "in_stock": True,
        "is_active": True,
        "categories": ["filter-coffee"],
        "images": [IMAGE_EXAMPLE],
        "created": "2026-03-02T08:00:00Z",
        "modified": "2026-03-02T08:00:00Z",
    },
    response_only=True,
)


class GTINField(CharField):
    openapi: ClassVar = {"pattern": GTIN_PATTERN}


class StaffIntegerField(JSONIntegerField):
    """Left out of what others get."""

    openapi: ClassVar = {"x-optional": True}


@extend_schema_serializer(examples=[PRODUCT_EXAMPLE])
class ProductSerializer(ModelSerializer):
    currency = CharField(read_only=True, help_text="ISO 4217; the shop has one currency.")
    in_stock = serializers.BooleanField(read_only=True, help_text="Whether any are in stock.")
    quantity_in_stock = JSONIntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,  # of the column: cancelled orders can exceed MAX_STOCK
        help_text="Changed by orders and adjustments; a PATCH sets it to what you counted.",
    )
    categories = serializers.ListField(
        child=CharField(max_length=Category.slug.field.max_length),
        required=False,
        max_length=MAX_PER_PRODUCT,
        help_text="The slugs of the categories that it is in, of which you see those that are "
        "shown to you. What you send replaces all.",
    )

    images = ProductImageSerializer(
        many=True, read_only=True, help_text="Pictures, in the order in which to show them."
    )

    gtin = GTINField(
        required=False,
        allow_null=True,
        max_length=Product.gtin.field.max_length,
        validators=[validate_digits, validate_check_digit],
        help_text=f"{Product.gtin.field.help_text} Unique; leading zeros do not matter.",
    )
    low_stock_at = StaffIntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=MAX_STOCK,
        help_text="For staff: when the stock falls to this, they are told. Null: the shop's "
        "default.",
    )

    class Meta:
        model = Product
        fields = (
            "id",
            "name",
            "description",
            "sku",
            "gtin",
            "price",
            "currency",
            "quantity_in_stock",
            "in_stock",
            "is_active",
            "categories",
            "images",
            "created",
            "modified",
            "low_stock_at",
        )
        read_only_fields = ("id", "created", "modified")
        extra_kwargs = {
            "id": {"help_text": "The id of the product."},
            "name": {"help_text": "What customers see; orders copy it."},
            "description": {"help_text": "More about it, in plain text."},
            "is_active": {"help_text": "Whether it is for sale. If not, only staff see it."},
            "created": {"help_text": "When the product was added."},
            "modified": {"help_text": "When the product or its stock last changed."},
            "sku": {
                "allow_blank": False,
                "validators": [CaseInsensitiveUniqueValidator(Product.objects.all(), SKU_TAKEN)],
            },
        }

    def to_representation(self, product):
        """The fields above, spelled out: DRF takes ten times as long (row "product list, 100")."""
        request = self.context.get("request")
        data = {
            "id": product.pk,
            "name": product.name,
            "description": product.description,
            "sku": product.sku,
            "gtin": product.gtin,
            "price": format_money(product.price),
            "currency": product.currency,
            "quantity_in_stock": product.quantity_in_stock,
            "in_stock": product.in_stock,
            "is_active": product.is_active,
            "categories": product.category_slugs,
            "images": [serialize_image(image, request) for image in product.image_list],
            "created": product.created,
            "modified": product.modified,
        }
        if self.is_for_staff:
            data["low_stock_at"] = product.low_stock_at
        return data

    @cached_property
    def is_for_staff(self):
        request = self.context.get("request")
        return request is None or sees_retired(request.user)

    def validate_gtin(self, gtin):
        others = Product.objects.exclude(pk=getattr(self.instance, "pk", None))
        if gtin is not None and others.with_gtins([gtin]).exists():
            raise serializers.ValidationError(GTIN_TAKEN, "unique")
        return gtin

    def validate_quantity_in_stock(self, quantity):
        if not self.partial and quantity != self.instance.quantity_in_stock:
            raise serializers.ValidationError(
                "The stock cannot be replaced, since that would undo sales made in the meantime: "
                "leave this field out, and PATCH what you counted, or send a delta to "
                "adjust-stock/.",
                code="not_overwritten",
            )
        return quantity

    def validate_categories(self, slugs):
        """Return the categories with these slugs, each once.

        For those who see all categories: others would take a product out of the hidden ones.
        """
        require(self.context["request"].user, "products.view_category")
        known = self.find_categories(slugs)
        unknown = {
            index: [ErrorDetail("There is no category with this slug.", "does_not_exist")]
            for index, slug in enumerate(slugs)
            if slug not in known
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return [*known.values()]

    def find_categories(self, slugs):
        """Return `{slug: Category}` of those that there are."""
        return {category.slug: category for category in Category.objects.filter(slug__in=slugs)}

    def update(self, product, validated_data):
        if not self.partial:
            validated_data.pop("quantity_in_stock", None)
        product.update_fields(**validated_data)
        return product


class ProductCreateSerializer(ProductSerializer):
    quantity_in_stock = JSONIntegerField(
        required=False,
        min_value=0,
        max_value=MAX_STOCK,  # cancelled orders can exceed it later
        help_text="The opening stock. Afterwards orders and adjustments change it.",
    )

    validate_quantity_in_stock = None  # there is no stock yet

    def create(self, validated_data):
        booking = {name: validated_data.pop(name) for name in ("by", "key", "fingerprint")}
        booking["categories"] = validated_data.pop("categories", ())
        product = Product(**validated_data)
        product.save(force_insert=True, **booking)
        return product


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two broke",
            {"delta": -2, "reason": "damaged", "note": "Fell off the shelf."},
            request_only=True,
        ),
        OpenApiExample("A delivery", {"delta": 48, "reason": "delivery"}, request_only=True),
        OpenApiExample(
            "The adjustment",
            {
                "id": 29,
                "delta": -2,
                "reason": "damaged",
                "note": "Fell off the shelf.",
                "actor": 1,
                "created": "2026-03-09T10:21:07.482913Z",
                "quantity_in_stock": 82,
            },
            response_only=True,
        ),
    ]
)
class StockAdjustmentSerializer(ModelSerializer):
    delta = JSONIntegerField(
        min_value=-MAX_STOCK,
        max_value=MAX_STOCK,
        help_text="Pieces added (12) or taken (-2), not 0.",
    )
    reason = serializers.ChoiceField(
        choices=ADJUSTMENT_REASONS,
        help_text="Why the stock changes. What came back is booked as a return of its order.",
        error_messages={
            "invalid_choice": f"Must be one of {', '.join(dict(ADJUSTMENT_REASONS))}. "
            "Book what came back as a return of its order."
        },
    )
    quantity_in_stock = serializers.IntegerField(read_only=True, help_text="The stock afterwards.")

    class Meta:
        model = StockAdjustment
        fields = ("id", "delta", "reason", "note", "actor", "created", "quantity_in_stock")
        read_only_fields = ("id", "actor", "created")
        extra_kwargs = {
            "id": {"help_text": "The id of the adjustment."},
            "note": {"help_text": "Anything worth knowing; staff see it in the stock history."},
            "actor": {"help_text": "The id of the user who adjusted the stock."},
            "created": {"help_text": "When the stock was adjusted."},
        }

    def validate_delta(self, delta):
        if delta == 0:
            raise serializers.ValidationError("Must not be 0.", code="zero")
        return delta
