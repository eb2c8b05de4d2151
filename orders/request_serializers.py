"""The bodies of requests: placing an order, and what happens to it since."""

from django.contrib.auth import get_user_model
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from orders.models import MAX_ITEMS, MAX_QUANTITY, Order, OrderEvent
from orders.serializer_examples import ADDRESS_EXAMPLE
from orders.serializers import OrderItemSerializer, OrderSerializer, ShippingAddressSerializer
from orders.transitions import UNDOABLE
from products.managers import MAX_ID
from shopply.api.fields import CharField, JSONBooleanField, JSONIntegerField, MoneyField
from shopply.api.permissions import denial, is_allowed
from shopply.api.serializers import Serializer


class PlaceOrderItemSerializer(Serializer):
    ignored_fields = OrderItemSerializer.Meta.fields

    product = JSONIntegerField(min_value=1, max_value=MAX_ID, help_text="The id of a product.")
    quantity = JSONIntegerField(
        min_value=1, max_value=MAX_QUANTITY, help_text="How many pieces of it."
    )


def merge_items(items):
    """Return `{product id: quantity}`: items of the same product are added up."""
    quantities = {}
    for index, item in enumerate(items):
        total = quantities.get(item["product"], 0) + item["quantity"]
        if total > MAX_QUANTITY:
            errors = [{} for _ in items]
            errors[index] = {
                "quantity": f"At most {MAX_QUANTITY:,} of a product; the items add up to more."
            }
            raise serializers.ValidationError(errors, code="max_value")
        quantities[item["product"]] = total
    return quantities


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
class PlaceOrderSerializer(Serializer):
    ignored_fields = OrderSerializer.Meta.fields

    items = PlaceOrderItemSerializer(
        many=True,
        allow_empty=False,
        max_length=MAX_ITEMS,
        source="quantities",
        help_text="What to order. Items of the same product are added up.",
    )
    shipping_address = ShippingAddressSerializer(
        required=False,
        allow_null=True,
        help_text="The address of your profile, if you send none. If that is empty too, you "
        "collect the order.",
    )
    expected_total = MoneyField(
        max_digits=16,
        required=False,
        help_text="The total you showed your customer. If it differs, nothing is ordered.",
    )
    note = CharField(
        max_length=Order.note.field.max_length,
        required=False,
        allow_blank=True,
        help_text="A wish for this order.",
    )
    reference = CharField(
        max_length=Order.reference.field.max_length,
        required=False,
        allow_blank=True,
        help_text="Your own number for the order.",
    )
    customer = JSONIntegerField(
        required=False,
        min_value=1,
        max_value=MAX_ID,
        help_text="The id of the customer: your own, or anyone's if you are staff.",
    )

    def validate_items(self, items):
        return merge_items(items)

    def validate_customer(self, pk):
        """Return the Customer: the user, or for staff anyone with an open account."""
        user = self.context["request"].user
        if pk == user.pk:
            return user
        required = ("orders.add_order", "customers.view_customer")  # the order has their address
        if not is_allowed(user, *required):
            detail = denial(user, *required) or "Only the shop's staff order for others."
            raise serializers.ValidationError(detail, code="not_your_account")
        customer = get_user_model().objects.filter(pk=pk, is_active=True).first()
        if customer is None:
            raise serializers.ValidationError(
                f"No open account has the id {pk}.", code="does_not_exist"
            )
        return customer


@extend_schema_serializer(
    examples=[
        OpenApiExample("With a note", {"note": "Parcel 00370712345"}, request_only=True),
        OpenApiExample("Without", {}, request_only=True),
    ]
)
class TransitionSerializer(Serializer):
    note = CharField(
        max_length=OrderEvent.note.field.max_length,
        default="",
        allow_blank=True,
        help_text="The customer sees it too.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "With a tracking number",
            {"carrier": "DHL", "tracking_number": "00340434161094042557"},
            request_only=True,
        ),
        OpenApiExample("Without", {}, request_only=True),
    ]
)
class ShipSerializer(TransitionSerializer):
    carrier = CharField(
        max_length=Order.carrier.field.max_length,
        default="",
        allow_blank=True,
        help_text="Who carries the parcel. For carriers that the shop knows, the order gets a "
        "`tracking_url`.",
    )
    tracking_number = CharField(
        max_length=Order.tracking_number.field.max_length,
        default="",
        allow_blank=True,
        help_text="The number by which the carrier finds the parcel.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "The shipping",
            {"action": "ship", "note": "The parcel is still here."},
            request_only=True,
        ),
        OpenApiExample("Whichever was last", {}, request_only=True),
    ]
)
class UndoSerializer(TransitionSerializer):
    action = serializers.ChoiceField(
        choices=[*UNDOABLE.values()],
        required=False,
        help_text="What you mean to undo. If it was not the last, nothing is undone, so that you "
        "can safely send the request again.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Another house",
            {"shipping_address": ADDRESS_EXAMPLE, "note": "The customer phoned."},
            request_only=True,
        ),
    ]
)
class CorrectAddressSerializer(TransitionSerializer):
    shipping_address = ShippingAddressSerializer(
        source="address",
        help_text="The whole address. Name and contact number stay as they are, if you send none.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "As new",
            {"items": [{"product": 1, "quantity": 1}], "note": "Ordered one too many."},
            request_only=True,
        ),
        OpenApiExample(
            "Not to be sold again",
            {"items": [{"product": 14, "quantity": 1}], "damaged": True},
            request_only=True,
        ),
    ]
)
class ReturnSerializer(TransitionSerializer):
    items = PlaceOrderItemSerializer(
        many=True,
        allow_empty=False,
        max_length=MAX_ITEMS,
        source="quantities",
        help_text="What came back. Items of the same product are added up.",
    )
    damaged = JSONBooleanField(
        default=False, help_text="Whether the pieces are written off, and not for sale again."
    )

    def validate_items(self, items):
        return merge_items(items)
