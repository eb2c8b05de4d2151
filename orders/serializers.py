from django.utils.functional import cached_property
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from orders.models import MAX_LINES, MAX_QUANTITY, Order, OrderEvent, OrderItem
from orders.moves import MOVES, moves_of
from products.managers import MAX_ID
from shopply.api.fields import CharField, JSONIntegerField, MoneyField

ORDERED = [
    {
        "product": 1,
        "name": "Yirgacheffe Kochere, 250 g",
        "sku": "COF-ETH-250",
        "unit_price": "11.90",
        "quantity": 2,
        "line_total": "23.80",
    },
    {
        "product": 14,
        "name": "Paper Filters 02, 100 pieces",
        "sku": "FLT-P02-100",
        "unit_price": "6.20",
        "quantity": 1,
        "line_total": "6.20",
    },
]
ADDRESSED = {
    "name": "Lena Vogt",
    "contact_number": "+49 40 5550142",
    "street_1": "Elbchaussee 112",
    "street_2": "2. Stock links",
    "city": "Hamburg",
    "state": "",
    "postal_code": "22763",
    "country": "Germany",
}


class ShippingAddressSerializer(serializers.Serializer):
    """Where the parcel goes. Name and number are the customer's own unless given."""

    name = CharField(max_length=301, required=False)  # a first and a last name
    contact_number = CharField(max_length=40, required=False, allow_blank=True)
    street_1 = CharField(max_length=200)
    street_2 = CharField(max_length=200, default="", allow_blank=True)
    city = CharField(max_length=100)
    state = CharField(max_length=100, default="", allow_blank=True)
    postal_code = CharField(max_length=20, default="", allow_blank=True)
    country = CharField(max_length=100)


class LineSerializer(serializers.Serializer):
    product = JSONIntegerField(min_value=1, max_value=MAX_ID, help_text="The id of a product.")
    quantity = JSONIntegerField(min_value=1, max_value=MAX_QUANTITY)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "To my own address",
            {"items": [{"product": 1, "quantity": 2}, {"product": 14, "quantity": 1}]},
            request_only=True,
        ),
        OpenApiExample(
            "As a present",
            {
                "items": [{"product": 1, "quantity": 2}, {"product": 14, "quantity": 1}],
                "shipping_address": {
                    "name": "Rosa Vogt",
                    "street_1": "Rua das Flores 21",
                    "city": "Porto",
                    "postal_code": "4050-265",
                    "country": "Portugal",
                },
            },
            request_only=True,
        ),
    ]
)
class PlaceOrderSerializer(serializers.Serializer):
    items = LineSerializer(many=True, allow_empty=False, max_length=MAX_LINES, source="quantities")
    shipping_address = ShippingAddressSerializer(required=False)
    expected_total = MoneyField(
        max_digits=15,
        decimal_places=2,
        required=False,
        help_text="What you showed your customer: the order is refused if it comes to another sum.",
    )

    def validate_items(self, lines):
        """`{product id: quantity}`; lines of the same product are merged, then bounded."""
        quantities = {}
        for index, line in enumerate(lines):
            total = quantities.get(line["product"], 0) + line["quantity"]
            if total > MAX_QUANTITY:
                errors = [{} for _ in lines]
                errors[index] = {
                    "quantity": f"At most {MAX_QUANTITY:,} of a product; the lines add up to more."
                }
                raise serializers.ValidationError(errors, code="max_value")
            quantities[line["product"]] = total
        return quantities


def serialize_item(item):
    """The fields of OrderItemSerializer, spelled out: see `ProductSerializer`."""
    return {
        "product": item.product_id,
        "name": item.name,
        "sku": item.sku,
        "unit_price": str(item.unit_price),
        "quantity": item.quantity,
        "line_total": str(item.line_total),
    }


def serialize_event(event):
    return {"status": event.status, "at": event.at, "by": event.by_id, "note": event.note}


class OrderItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderItem
        fields = ("product", "name", "sku", "unit_price", "quantity", "line_total")
        read_only_fields = fields

    def to_representation(self, item):
        return serialize_item(item)


class OrderEventSerializer(serializers.ModelSerializer):
    by = serializers.IntegerField(source="by_id", help_text="The id of who did it.")

    class Meta:
        model = OrderEvent
        fields = ("status", "at", "by", "note")
        read_only_fields = fields

    def to_representation(self, event):
        return serialize_event(event)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "An order",
            {
                "id": 1,
                "status": "placed",
                "customer": 2,
                "items": ORDERED,
                "total_price": "30.00",
                "currency": "EUR",
                "shipping_address": ADDRESSED,
                "created": "2026-03-09T10:21:07.482913Z",
                "modified": "2026-03-09T10:21:07.482913Z",
                "actions": ["cancel"],
                "events": [
                    {
                        "status": "placed",
                        "at": "2026-03-09T10:21:07.482913Z",
                        "by": 2,
                        "note": "",
                    }
                ],
            },
            response_only=True,
        ),
    ]
)
class OrderSerializer(serializers.ModelSerializer):
    items = OrderItemSerializer(many=True, read_only=True)
    shipping_address = ShippingAddressSerializer(read_only=True)
    actions = serializers.SerializerMethodField(help_text="The moves that you may make now.")
    events = OrderEventSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = (
            "id",
            "status",
            "customer",
            "items",
            "total_price",
            "currency",
            "shipping_address",
            "created",
            "modified",
            "actions",
            "events",
        )
        read_only_fields = fields

    @cached_property
    def user(self):
        return self.context["request"].user

    @extend_schema_field({"type": "array", "items": {"type": "string", "enum": list(MOVES)}})
    def get_actions(self, order):
        return moves_of(self.user, order)

    def to_representation(self, order):
        return {
            "id": order.pk,
            "status": order.status,
            "customer": order.customer_id,
            "items": [serialize_item(item) for item in order.item_list],
            "total_price": str(order.total_price),
            "currency": order.currency,
            "shipping_address": {part: order.shipping_address[part] for part in Order.ADDRESS},
            "created": order.created,
            "modified": order.modified,
            "actions": self.get_actions(order),
            "events": [serialize_event(event) for event in order.event_list],
        }


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A quote",
            {
                "items": ORDERED,
                "total_price": "30.00",
                "currency": "EUR",
                "shipping_address": ADDRESSED,
            },
            response_only=True,
        )
    ]
)
class QuoteSerializer(serializers.ModelSerializer):
    items = OrderItemSerializer(many=True, read_only=True, source="item_list")
    shipping_address = ShippingAddressSerializer(
        read_only=True,
        allow_null=True,
        help_text="Null for a caller who is not logged in and gives none.",
    )

    class Meta:
        model = Order
        fields = ("items", "total_price", "currency", "shipping_address")
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample("With a note", {"note": "Parcel 00370712345"}, request_only=True),
        OpenApiExample("Without", {}, request_only=True),
    ]
)
class MoveSerializer(serializers.Serializer):
    note = CharField(
        max_length=500, default="", allow_blank=True, help_text="Seen by the customer too."
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A sale",
            {
                "at": "2026-03-09T10:21:07.482913Z",
                "reason": "sale",
                "delta": -2,
                "note": "",
                "by": 2,
                "order": 1,
            },
            response_only=True,
        )
    ]
)
class StockMovementSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    reason = CharField(
        help_text="That of an adjustment, or `sale` or `cancelled` for those of an order."
    )
    delta = serializers.IntegerField(help_text="Pieces that came (12) or went (-2).")
    note = CharField()
    by = serializers.IntegerField(allow_null=True, help_text="The id of who did it.")
    order = serializers.IntegerField(allow_null=True, help_text="The id of the order.")
