from rest_framework import serializers

from benchmarks.peers.plain.models import Customer, Order, OrderEvent, OrderItem, Product

# The customer's transitions from each status, and those of staff only.
TRANSITIONS = {
    "placed": (["cancel"], ["confirm"]),
    "confirmed": (["cancel"], ["ship"]),
    "shipped": ([], ["deliver"]),
}


class ProductSerializer(serializers.ModelSerializer):
    currency = serializers.CharField(read_only=True)
    in_stock = serializers.BooleanField(read_only=True)

    class Meta:
        model = Product
        fields = [
            *("id", "name", "description", "sku", "price", "currency", "quantity_in_stock"),
            *("in_stock", "is_active", "created", "modified"),
        ]


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = [
            *("id", "username", "email", "first_name", "last_name", "contact_number"),
            *("street_1", "street_2", "city", "state", "postal_code", "country"),
            *("is_staff", "date_joined"),
        ]


class AddressSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=301, required=False)
    contact_number = serializers.CharField(max_length=40, required=False, allow_blank=True)
    street_1 = serializers.CharField(max_length=200)
    street_2 = serializers.CharField(max_length=200, default="", allow_blank=True)
    city = serializers.CharField(max_length=100)
    state = serializers.CharField(max_length=100, default="", allow_blank=True)
    postal_code = serializers.CharField(max_length=20, default="", allow_blank=True)
    country = serializers.CharField(max_length=100)


class PlaceOrderItemSerializer(serializers.Serializer):
    product = serializers.IntegerField(min_value=1)
    quantity = serializers.IntegerField(min_value=1, max_value=10_000)


class PlaceOrderSerializer(serializers.Serializer):
    items = PlaceOrderItemSerializer(many=True, allow_empty=False, max_length=100)
    shipping_address = AddressSerializer(required=False)
    expected_total = serializers.DecimalField(max_digits=15, decimal_places=2, required=False)
    note = serializers.CharField(max_length=500, default="", allow_blank=True)
    reference = serializers.CharField(max_length=64, default="", allow_blank=True)


class OrderItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderItem
        fields = ["product", "name", "sku", "unit_price", "quantity", "line_total"]


class OrderEventSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderEvent
        fields = ["status", "at", "by", "note"]


class OrderSerializer(serializers.ModelSerializer):
    items = OrderItemSerializer(many=True, read_only=True)
    shipping_address = AddressSerializer(read_only=True)
    actions = serializers.SerializerMethodField()
    events = OrderEventSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = [
            *("id", "status", "customer", "placed_by", "items", "total_price", "currency"),
            *("shipping_address", "note", "reference", "created", "modified", "actions", "events"),
        ]

    def get_actions(self, order):
        actions, staff_actions = TRANSITIONS.get(order.status, ([], []))
        return [*staff_actions, *actions] if self.context["request"].user.is_staff else actions
