from django.contrib.auth import get_user_model
from drf_spectacular.utils import (
    OpenApiExample,
    PolymorphicProxySerializer,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.fields import SkipField

from changes.models import Change
from changes.pagination import CURSOR_EXAMPLE
from customers.serializers import CustomerSerializer
from orders.models import Order
from orders.serializers import OrderSerializer
from products.models import Product
from products.serializers import ProductSerializer

# Of each type: what an expanded change shows.
RESOURCES = {
    Change.Type.PRODUCT: (
        Product.objects.prefetch_related("categories", "images"),
        ProductSerializer,
    ),
    Change.Type.ORDER: (Order.objects.prefetch_related("items", "events"), OrderSerializer),
    Change.Type.CUSTOMER: (get_user_model().objects.all(), CustomerSerializer),
}


def expand(changes, context):
    """Set `object` of each change to the representation of its object now, None if it is gone."""
    for object_type, (queryset, serializer_class) in RESOURCES.items():
        selected = [change for change in changes if change.type == object_type]
        instances = queryset.in_bulk({change.object_id for change in selected})
        serializer = serializer_class(context=context)
        objects = {pk: serializer.to_representation(row) for pk, row in instances.items()}
        for change in selected:
            change.object = objects.get(change.object_id)


@extend_schema_field(
    PolymorphicProxySerializer(
        "ChangedObject",
        [serializer for _, serializer in RESOURCES.values()],
        resource_type_field_name=None,
    )
)
class ObjectField(serializers.ReadOnlyField):
    """Left out unless `expand` set the attribute."""

    openapi = {"x-optional": True}

    def get_attribute(self, change):
        if not hasattr(change, "object"):
            raise SkipField
        return change.object


class EventField(serializers.CharField):
    """No enum to clients, which would fail on an event that comes later."""

    openapi = {"x-extensible-enum": Change.Event.values}


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "An order was shipped",
            {
                "cursor": CURSOR_EXAMPLE,
                "type": "order",
                "id": 1,
                "at": "2026-03-09T10:21:07.482913Z",
                "event": "shipped",
            },
            response_only=True,
        )
    ]
)
class ChangeSerializer(serializers.ModelSerializer):
    cursor = serializers.CharField(read_only=True, help_text="The position of this change.")
    id = serializers.IntegerField(source="object_id", help_text="The id of the object.")
    event = EventField(
        read_only=True,
        help_text=f"What happened to it: one of {', '.join(Change.Event.values)}. More may come.",
    )
    object = ObjectField(
        allow_null=True,
        help_text="With `expand=true`: the object as it is now, null if it was deleted.",
    )

    class Meta:
        model = Change
        fields = ("cursor", "type", "id", "at", "event", "object")
        read_only_fields = fields
        extra_kwargs = {
            "type": {"help_text": "What changed."},
            "at": {"help_text": "When. The feed is in the order of transactions, not of times."},
        }
