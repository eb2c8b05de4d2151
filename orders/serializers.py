from django.contrib.auth import get_user_model
from django.utils.functional import cached_property
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from orders.models import MAX_ITEMS, MAX_QUANTITY, Order, OrderEvent, OrderItem
from orders.transitions import TRANSITIONS, allowed_transitions
from products.managers import MAX_ID
from shopply.api.fields import CharField, JSONIntegerField, MoneyField
from shopply.api.money import format_money
from shopply.api.permissions import denial, is_allowed
from shopply.api.serializers import ModelSerializer, Serializer

ITEMS_EXAMPLE = [
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
ADDRESS_EXAMPLE = {
    "name": "Lena Vogt",
    "contact_number": "+49 40 5550142",
    "street_1": "Elbchaussee 112",
    "street_2": "2. Stock links",
    "city": "Hamburg",
    "state": "",
    "postal_code": "22763",
    "country": "Germany",
}


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
    }


def serialize_event(event):
    return {"status": event.status, "at": event.at, "by": event.by_id, "note": event.note}


class OrderItemSerializer(ModelSerializer):
    class Meta:
        model = OrderItem
        fields = ("product", "name", "sku", "unit_price", "quantity", "line_total")
        read_only_fields = fields
        extra_kwargs = {
            "product": {"help_text": "The id of the product."},
            "name": {"help_text": "Its name when the order was placed."},
            "sku": {"help_text": "Its SKU when the order was placed."},
            "unit_price": {"help_text": "The price of one piece when the order was placed."},
            "quantity": {"help_text": "How many pieces of it."},
            "line_total": {"help_text": "`unit_price` times `quantity`."},
        }

    def to_representation(self, item):
        return serialize_item(item)


class OrderEventSerializer(ModelSerializer):
    by = serializers.IntegerField(source="by_id", help_text="The id of who did it.")

    class Meta:
        model = OrderEvent
        fields = ("status", "at", "by", "note")
        read_only_fields = fields
        extra_kwargs = {
            "status": {"help_text": "The status from then on."},
            "at": {"help_text": "When it happened."},
            "note": {"help_text": "What whoever made the transition wrote about it."},
        }

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
                "placed_by": 2,
                "items": ITEMS_EXAMPLE,
                "total_price": "30.00",
                "currency": "EUR",
                "shipping_address": ADDRESS_EXAMPLE,
                "note": "",
                "reference": "",
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
class OrderSerializer(ModelSerializer):
    placed_by = serializers.IntegerField(
        read_only=True, source="ordered_by_id", help_text="The id of the account that ordered."
    )
    items = OrderItemSerializer(many=True, read_only=True, help_text="What was ordered.")
    shipping_address = ShippingAddressSerializer(
        read_only=True,
        allow_null=True,
        help_text="Where the order goes, as it was when the order was placed. Null if the "
        "customer collects it.",
    )
    actions = serializers.SerializerMethodField(help_text="The transitions that you can make now.")
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
            "created": {"help_text": "When the order was placed."},
            "modified": {"help_text": "When the order last changed."},
        }

    @cached_property
    def user(self):
        return self.context["request"].user

    @extend_schema_field({"type": "array", "items": {"type": "string", "enum": list(TRANSITIONS)}})
    def get_actions(self, order):
        return allowed_transitions(self.user, order)

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
            "created": order.created,
            "modified": order.modified,
            "actions": self.get_actions(order),
            "events": [serialize_event(event) for event in order.event_list],
        }


class PlaceOrderItemSerializer(Serializer):
    ignored_fields = OrderItemSerializer.Meta.fields

    product = JSONIntegerField(min_value=1, max_value=MAX_ID, help_text="The id of a product.")
    quantity = JSONIntegerField(
        min_value=1, max_value=MAX_QUANTITY, help_text="How many pieces of it."
    )


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
        max_length=500, required=False, allow_blank=True, help_text="A wish for this order."
    )
    reference = CharField(
        max_length=64, required=False, allow_blank=True, help_text="Your own number for the order."
    )
    customer = JSONIntegerField(
        required=False,
        min_value=1,
        max_value=MAX_ID,
        help_text="The id of the customer: your own, or anyone's if you are staff.",
    )

    def validate_items(self, items):
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
        OpenApiExample("With a note", {"note": "Parcel 00370712345"}, request_only=True),
        OpenApiExample("Without", {}, request_only=True),
    ]
)
class TransitionSerializer(Serializer):
    note = CharField(
        max_length=500, default="", allow_blank=True, help_text="The customer sees it too."
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
class StockMovementSerializer(Serializer):
    at = serializers.DateTimeField(help_text="When the stock changed.")
    reason = CharField(help_text="The reason of an adjustment; `sale` or `cancelled` for an order.")
    delta = serializers.IntegerField(help_text="Pieces added (12) or taken (-2).")
    note = CharField(help_text="The note of the adjustment or of the cancellation.")
    by = serializers.IntegerField(allow_null=True, help_text="The id of who did it.")
    order = serializers.IntegerField(allow_null=True, help_text="The id of the order.")
