from django.utils.functional import cached_property
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from orders import addresses
from orders.events import Action, OrderEvent, get_action
from orders.models import Order, OrderItem
from orders.serializer_examples import ADDRESS_EXAMPLE, ITEMS_EXAMPLE, ORDER_EXAMPLE
from orders.transitions import STAFF_ACTIONS, TRANSITIONS, allowed_actions
from shopply.api.fields import CharField
from shopply.api.money import format_money
from shopply.api.serializers import ModelSerializer, Serializer


class ShippingAddressSerializer(Serializer):
    """Where the parcel goes. Name and contact number default to the customer's own."""

    name = CharField(  # a first and a last name
        max_length=301, required=False, help_text="Who receives the parcel."
    )
    contact_number = CharField(
        max_length=40,
        required=False,
        allow_blank=True,
        help_text="A telephone number, for questions about the parcel.",
    )
    street_1 = CharField(max_length=200, help_text="Street and house number.")
    street_2 = CharField(
        max_length=200,
        default="",
        allow_blank=True,
        help_text="A second line, such as a floor.",
    )
    city = CharField(max_length=100, help_text="City or town.")
    state = CharField(
        max_length=100,
        default="",
        allow_blank=True,
        help_text="State or region, where an address has one.",
    )
    postal_code = CharField(
        max_length=20, default="", allow_blank=True, help_text="Postal code or ZIP code."
    )
    country = CharField(max_length=100, help_text="The name of the country.")

    def to_internal_value(self, data):
        """Report required parts that are missing or blank as `incomplete_address`."""
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as exc:
            raise serializers.ValidationError(
                {
                    part: [self.get_error(error) for error in errors]
                    for part, errors in exc.detail.items()
                }
            ) from None

    def get_error(self, error):
        is_lacking = error.code in ("required", "blank")
        return ErrorDetail(error, "incomplete_address") if is_lacking else error


def serialize_item(item):
    """Return the fields of OrderItemSerializer, spelled out: see `ProductSerializer`."""
    return {
        "product": item.product_id,
        "name": item.name,
        "sku": item.sku,
        "unit_price": format_money(item.unit_price),
        "quantity": item.quantity,
        "line_total": format_money(item.line_total),
        "returned": item.returned,
    }


def serialize_event(event):
    return {
        "action": get_action(event),
        "status": event.status,
        "at": event.at,
        "by": event.by_id,
        "note": event.note,
        "shipping_address": addresses.in_postal_order(event.shipping_address),
    }


class OrderItemSerializer(ModelSerializer):
    class Meta:
        model = OrderItem
        fields = ("product", "name", "sku", "unit_price", "quantity", "line_total", "returned")
        read_only_fields = fields
        extra_kwargs = {
            "product": {"help_text": "The id of the product."},
            "name": {"help_text": "Its name when the order was placed."},
            "sku": {"help_text": "Its SKU when the order was placed."},
            "unit_price": {"help_text": "The price of one piece when the order was placed."},
            "quantity": {"help_text": "How many pieces of it."},
            "line_total": {"help_text": "`unit_price` times `quantity`."},
            "returned": {"help_text": "How many pieces of it came back."},
        }

    def to_representation(self, item):
        return serialize_item(item)


class ActionField(serializers.CharField):
    """No enum to clients, which would fail on an action that comes later."""

    openapi = {"x-extensible-enum": Action.values}


class OrderEventSerializer(ModelSerializer):
    action = ActionField(help_text="What happened; for a transition, its name.")
    by = serializers.IntegerField(
        source="by_id", allow_null=True, help_text="The id of who did it; null for the shop itself."
    )
    shipping_address = ShippingAddressSerializer(
        read_only=True, allow_null=True, help_text="The address before it was corrected, or null."
    )

    class Meta:
        model = OrderEvent
        fields = ("action", "status", "at", "by", "note", "shipping_address")
        read_only_fields = fields
        extra_kwargs = {
            "status": {"help_text": "The status from then on."},
            "at": {"help_text": "When it happened."},
            "note": {"help_text": "What whoever did it wrote about it."},
        }

    def to_representation(self, event):
        return serialize_event(event)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "An order",
            ORDER_EXAMPLE,
            response_only=True,
        ),
    ]
)
class OrderSerializer(ModelSerializer):
    placed_by = serializers.IntegerField(
        read_only=True, source="ordered_by_id", help_text="The id of the account that ordered."
    )
    items = OrderItemSerializer(many=True, read_only=True, help_text="What was ordered.")
    shipping_address = ShippingAddressSerializer(
        read_only=True,
        allow_null=True,
        help_text="Where the order goes, as it was when the order was placed or the shop corrected "
        "it. Null if the customer collects it.",
    )
    tracking_url = CharField(
        read_only=True,
        help_text='The page that shows where the parcel is. "" without a `tracking_number`, or if '
        "the shop does not know the carrier.",
    )
    actions = serializers.SerializerMethodField(
        help_text="What you can do with the order now: transitions, and what else the shop's staff "
        "do."
    )
    events = OrderEventSerializer(
        many=True, read_only=True, help_text="The history of the order, oldest first."
    )

    class Meta:
        model = Order
        fields = (
            "id",
            "status",
            "customer",
            "placed_by",
            "items",
            "total_price",
            "currency",
            "shipping_address",
            "note",
            "reference",
            "carrier",
            "tracking_number",
            "tracking_url",
            "created",
            "modified",
            "actions",
            "events",
        )
        read_only_fields = fields
        extra_kwargs = {
            "id": {"help_text": "The id of the order."},
            "status": {"help_text": "How far the order has come."},
            "customer": {"help_text": "The id of the customer."},
            "total_price": {"help_text": "The sum of all `line_total`."},
            "carrier": {"help_text": "Who carries the parcel."},
            "tracking_number": {"help_text": "The number by which the carrier finds the parcel."},
            "created": {"help_text": "When the order was placed."},
            "modified": {"help_text": "When the order last changed."},
        }

    @cached_property
    def user(self):
        return self.context["request"].user

    @extend_schema_field(
        {
            "type": "array",
            "items": {"type": "string", "x-extensible-enum": [*TRANSITIONS, *STAFF_ACTIONS]},
        }
    )
    def get_actions(self, order):
        return allowed_actions(self.user, order)

    def to_representation(self, order):
        return {
            "id": order.pk,
            "status": order.status,
            "customer": order.customer_id,
            "placed_by": order.ordered_by_id,
            "items": [serialize_item(item) for item in order.item_list],
            "total_price": format_money(order.total_price),
            "currency": order.currency,
            "shipping_address": order.postal_address,
            "note": order.note,
            "reference": order.reference,
            "carrier": order.carrier,
            "tracking_number": order.tracking_number,
            "tracking_url": order.tracking_url,
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
                "items": ITEMS_EXAMPLE,
                "total_price": "30.00",
                "currency": "EUR",
                "shipping_address": ADDRESS_EXAMPLE,
            },
            response_only=True,
        )
    ]
)
class QuoteSerializer(ModelSerializer):
    items = OrderItemSerializer(
        many=True, read_only=True, source="item_list", help_text="What would be ordered."
    )
    shipping_address = ShippingAddressSerializer(
        read_only=True,
        allow_null=True,
        help_text="Null if you sent none, and are not logged in or have none in your profile.",
    )

    class Meta:
        model = Order
        fields = ("items", "total_price", "currency", "shipping_address")
        read_only_fields = fields
        extra_kwargs = {"total_price": {"help_text": "The sum of all `line_total`."}}


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
class StockMovementSerializer(Serializer):
    at = serializers.DateTimeField(help_text="When the stock changed.")
    reason = CharField(help_text="The reason of an adjustment; `sale` or `cancelled` for an order.")
    delta = serializers.IntegerField(help_text="Pieces added (12) or taken (-2).")
    note = CharField(help_text="The note of the adjustment or of the cancellation.")
    by = serializers.IntegerField(allow_null=True, help_text="The id of who did it.")
    order = serializers.IntegerField(
        allow_null=True, help_text="The id of the order that was sold, cancelled or came back."
    )
