import hashlib
import json

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Prefetch
from rest_framework import exceptions, filters, mixins, pagination, permissions, viewsets
from rest_framework.response import Response

from benchmarks.peers.plain.models import (
    Category,
    Customer,
    Order,
    OrderEvent,
    OrderItem,
    Product,
)
from benchmarks.peers.plain.serializers import (
    CustomerSerializer,
    OrderSerializer,
    PlaceOrderSerializer,
    ProductSerializer,
)

ADDRESS = ("street_1", "street_2", "city", "state", "postal_code", "country")


class Conflict(exceptions.APIException):
    status_code = 409


class IdempotencyKeyReused(exceptions.APIException):
    status_code = 422


class IsStaffOrReadOnly(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.method in permissions.SAFE_METHODS or request.user.is_staff


class ProductPagination(pagination.PageNumberPagination):
    page_size = 5
    page_size_query_param = "items_per_page"
    max_page_size = 100


class CustomerPagination(ProductPagination):
    page_size = 100

    def get_paginated_response(self, data):
        url = self.request.build_absolute_uri()
        links = {"first": 1, "last": self.page.paginator.num_pages}
        return Response(
            data,
            headers={
                "Link": ", ".join(
                    f'<{pagination.replace_query_param(url, "page", page)}>; rel="{name}"'
                    for name, page in links.items()
                )
            },
        )


class OrderPagination(pagination.CursorPagination):
    page_size = 25
    page_size_query_param = "items_per_page"
    max_page_size = 100
    ordering = "-id"


class ProductViewSet(viewsets.ModelViewSet):
    serializer_class = ProductSerializer
    permission_classes = [IsStaffOrReadOnly]
    pagination_class = ProductPagination
    filter_backends = [filters.SearchFilter]
    search_fields = ["name", "description", "sku"]

    def get_queryset(self):
        categories = Prefetch("categories", Category.objects.filter(is_active=True))
        products = Product.objects.prefetch_related(categories, "images")
        return products if self.request.user.is_staff else products.filter(is_active=True)


class CustomerViewSet(viewsets.ReadOnlyModelViewSet):
    serializer_class = CustomerSerializer
    pagination_class = CustomerPagination

    def get_queryset(self):
        customers = Customer.objects.order_by("id")
        user = self.request.user
        return customers if user.is_staff else customers.filter(pk=user.pk)


class OrderViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet,
):
    serializer_class = OrderSerializer
    pagination_class = OrderPagination

    def get_queryset(self):
        orders = Order.objects.filter(customer=self.request.user)
        return orders.prefetch_related("items", "events")

    def create(self, request, *args, **kwargs):
        serializer = PlaceOrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        key = request.headers.get("Idempotency-Key")
        body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
        fingerprint = hashlib.sha256(body.encode()).hexdigest()
        order = self.find_by_key(key, fingerprint)
        if order is None:
            try:
                order = place(request.user, key, fingerprint, **serializer.validated_data)
            except IntegrityError:
                order = self.find_by_key(key, fingerprint)
                if order is None:
                    raise
        return Response(self.get_serializer(order).data, status=201)

    def find_by_key(self, key, fingerprint):
        order = key and self.get_queryset().filter(idempotency_key=key).first()
        if order and order.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        return order or None


@transaction.atomic
def place(
    customer, key, fingerprint, items, note, reference, shipping_address=None, expected_total=None
):
    quantities = {}
    for item in items:
        quantities[item["product"]] = quantities.get(item["product"], 0) + item["quantity"]
    products = {
        product.id: product
        for product in Product.objects.select_for_update().filter(id__in=quantities).order_by("id")
    }
    if len(products) < len(quantities):
        raise exceptions.ValidationError({"items": "No such product."})
    for product in products.values():
        if not product.is_active or product.quantity_in_stock < quantities[product.id]:
            raise Conflict(f"{product.name} is out of stock.")
        product.quantity_in_stock -= quantities[product.id]
        product.save(update_fields=["quantity_in_stock", "modified"])
    address = {
        "name": customer.get_full_name() or customer.username,
        "contact_number": customer.contact_number,
        **(shipping_address or {field: getattr(customer, field) for field in ADDRESS}),
    }
    if not (address["street_1"] and address["city"] and address["country"]):
        raise exceptions.ValidationError({"shipping_address": "This field is required."})
    total = sum(products[pk].price * quantity for pk, quantity in quantities.items())
    if expected_total not in (None, total):
        raise Conflict(f"The order comes to {total}.")
    order = Order(
        customer=customer,
        total_price=total,
        currency=settings.SHOP_CURRENCY,
        shipping_address=address,
        note=note,
        reference=reference,
        idempotency_key=key,
        fingerprint=fingerprint,
    )
    order.modified = order.created
    order.save()
    OrderItem.objects.bulk_create(
        OrderItem(
            order=order,
            product=products[pk],
            name=products[pk].name,
            sku=products[pk].sku,
            unit_price=products[pk].price,
            quantity=quantity,
            line_total=products[pk].price * quantity,
        )
        for pk, quantity in quantities.items()
    )
    OrderEvent.objects.create(
        order=order, action="place", status="placed", at=order.created, by=customer
    )
    return order
