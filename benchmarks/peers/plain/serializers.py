from rest_framework import serializers

from benchmarks.peers.plain.models import (
    Customer,
    Order,
    OrderEvent,
    OrderItem,
    Product,
    ProductImage,
)

# The customer's transitions from each status, and those of staff only.
TRANSITIONS = {
    "placed": (["cancel"], ["confirm"]),
    "confirmed": (["cancel"], ["ship"]),
    "shipped": ([], ["deliver"]),
}


class ProductImageSerializer(serializers.ModelSerializer):
    url = serializers.FileField(source="file", read_only=True)
    thumbnail_url = serializers.SerializerMethodField()

    class Meta:
        model = ProductImage
        fields = ["id", "url", "alt", "width", "height", "thumbnail_url"]

    def get_thumbnail_url(self, image):
        url = (image.thumbnail or image.file).url
        return self.context["request"].build_absolute_uri(url)


class ProductSerializer(serializers.ModelSerializer):
    currency = serializers.CharField(read_only=True)
    in_stock = serializers.BooleanField(read_only=True)
    categories = serializers.SlugRelatedField("slug", many=True, read_only=True)
    images = ProductImageSerializer(many=True, read_only=True)

    class Meta:
        model = Product
        fields = [
            *("id", "name", "description", "sku", "gtin", "price", "currency"),
            *("quantity_in_stock", "in_stock", "is_active", "categories", "images"),
            *("created", "modified"),
        ]


class CustomerSerializer(serializers.ModelSerializer):
    new_email = serializers.SerializerMethodField()

    class Meta:
        model = Customer
        fields = [
            *("id", "username", "email", "email_confirmed", "new_email", "first_name"),
            *("last_name", "contact_number", "street_1", "street_2", "city", "state"),
            *("postal_code", "country", "order_mails", "is_staff", "date_joined"),
        ]

    def get_new_email(self, customer):
        return customer.new_email or None


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
        fields = ["product", "name", "sku", "unit_price", "quantity", "line_total", "returned"]


class OrderEventSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderEvent
        fields = ["action", "status", "at", "by", "note", "shipping_address"]


class OrderSerializer(serializers.ModelSerializer):
    placed_by = serializers.IntegerField(source="ordered_by_id", read_only=True)
    items = OrderItemSerializer(many=True, read_only=True)
    shipping_address = AddressSerializer(read_only=True)
    actions = serializers.SerializerMethodField()
    events = OrderEventSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = [
            *("id", "status", "customer", "placed_by", "items", "total_price", "currency"),
            *("shipping_address", "note", "reference", "carrier", "tracking_number"),
            *("tracking_url", "created", "modified", "actions", "events"),
        ]

    def get_actions(self, order):
        actions, staff_actions = TRANSITIONS.get(order.status, ([], []))
        return [*staff_actions, *actions] if self.context["request"].user.is_staff else actions
