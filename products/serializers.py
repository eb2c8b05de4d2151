from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from products.models import ADJUSTMENT_REASONS, MAX_STOCK, Product, StockAdjustment
from shopply.api.fields import (
    CaseInsensitiveUniqueValidator,
    CharField,
    JSONIntegerField,
)
from shopply.api.money import format_money
from shopply.api.serializers import ModelSerializer

PRODUCT_EXAMPLE = OpenApiExample(
    "A product",
    {
        "id": 1,
        "name": "Yirgacheffe Kochere, 250 g",
        "description": "Washed Ethiopian coffee, light roast. Jasmine, lemon peel, black tea.",
        "sku": "COF-ETH-250",
        "price": "11.90",
        "currency": "EUR",
        "quantity_in_stock": 84,
        "in_stock": True,
        "is_active": True,
        "created": "2026-03-02T08:00:00Z",
        "modified": "2026-03-02T08:00:00Z",
    },
    response_only=True,
)


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

    class Meta:
        model = Product
        fields = (
            "id",
            "name",
            "description",
            "sku",
            "price",
            "currency",
            "quantity_in_stock",
            "in_stock",
            "is_active",
            "created",
            "modified",
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
                "validators": [
                    CaseInsensitiveUniqueValidator(
                        Product.objects.all(), "Another product has this SKU."
                    )
                ],
            },
        }

    def to_representation(self, product):
        """The fields above, spelled out: DRF takes ten times as long (row "product list, 100")."""
        return {
            "id": product.pk,
            "name": product.name,
            "description": product.description,
            "sku": product.sku,
            "price": format_money(product.price),
            "currency": product.currency,
            "quantity_in_stock": product.quantity_in_stock,
            "in_stock": product.in_stock,
            "is_active": product.is_active,
            "created": product.created,
            "modified": product.modified,
        }

    def validate_quantity_in_stock(self, quantity):
        if not self.partial and quantity != self.instance.quantity_in_stock:
            raise serializers.ValidationError(
                "The stock cannot be replaced, since that would undo sales made in the meantime: "
                "leave this field out, and PATCH what you counted, or send a delta to "
                "adjust-stock/.",
                code="not_overwritten",
            )
        return quantity

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
    reason = serializers.ChoiceField(choices=ADJUSTMENT_REASONS, help_text="Why the stock changes.")
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
