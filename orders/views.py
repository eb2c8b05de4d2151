from functools import partial

from django.shortcuts import get_object_or_404
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, permissions, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from orders import stock_ledger
from orders.filters import OrderFilter
from orders.models import Order
from orders.pagination import CursorPagination
from orders.problems import map_order_errors, map_verb_errors
from orders.request_serializers import (
    CorrectAddressSerializer,
    PlaceOrderSerializer,
    ReturnSerializer,
    ShipSerializer,
    TransitionSerializer,
    UndoSerializer,
)
from orders.serializers import OrderSerializer, QuoteSerializer, StockMovementSerializer
from products.models import Product
from shopply.api.idempotency import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    REPLAYED_HEADERS,
    key_and_fingerprint,
)
from shopply.api.permissions import StaffPermission
from shopply.api.query_params import CheckRequestMixin


@extend_schema(tags=["orders"])
@extend_schema_view(
    list=extend_schema(
        summary="List your orders",
        description="Newest first, in pages: follow `next` until it is null. Orders placed "
        "meanwhile neither repeat nor hide any. Staff get their own orders too, and others' with "
        "`customer`.",
    ),
    retrieve=extend_schema(
        summary="Get an order",
        description="Your own, or anyone's if you are staff. Other orders are not found.",
    ),
)
class OrderViewSet(CheckRequestMixin, viewsets.GenericViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer
    pagination_class = CursorPagination
    filter_backends = (DjangoFilterBackend,)
    filterset_class = OrderFilter
    lookup_value_converter = "int"

    @property
    def throttle_scope(self):
        return "order" if self.action == "create" else None

    def get_queryset(self):
        orders = super().get_queryset()
        if self.action == "list" and "customer" not in self.request.query_params:
            return orders.for_customer(self.request.user.pk)
        return orders.visible_to(self.request.user)

    def filter_queryset(self, orders):
        return super().filter_queryset(orders) if self.action == "list" else orders

    def get_response(self, pk, **options):
        """Return the response for the order with this id."""
        order = Order.objects.fetch_visible_to(self.request.user, pk)
        return Response(self.get_serializer(order).data, **options)

    def get_order_details(self, request):
        """Return the keyword arguments of `Order.objects.quote` from the body."""
        serializer = PlaceOrderSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return {"customer": request.user, **serializer.validated_data}

    def retrieve(self, request, pk):
        return self.get_response(pk)

    def list(self, request):
        if OrderFilter.base_filters.keys() & request.query_params.keys():
            get_page = self.filter_queryset(self.get_queryset()).paginate
        else:
            get_page = partial(Order.objects.fetch_history, request.user.pk)
        orders = self.paginate_queryset(get_page)
        return self.get_paginated_response(self.get_serializer(orders, many=True).data)

    @extend_schema(
        summary="Place an order",
        description="All items or none. The shop copies name, SKU and price of each product, so "
        "later changes do not affect your order. The order goes to `shipping_address`, or to the "
        "address of your profile; if both are empty, you collect it. Items of the same product are "
        "added up; 1 to 100 items, each of 1 to 10,000 pieces. Staff order for a customer with "
        "`customer`. With an `Idempotency-Key` you can safely send the order again if you "
        "did not get a response.",
        parameters=[IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED],
        request=PlaceOrderSerializer,
        responses={201: OrderSerializer},
        extensions={
            "x-problems": [
                "out_of_stock",
                "price_changed",
                "order_limit_reached",
                "email_unconfirmed",
                "idempotency_key_reused",
            ]
        },
    )
    def create(self, request):
        key = key_and_fingerprint(request, request.data)
        details = self.get_order_details(request)
        with map_order_errors(request):
            order = Order.objects.place(by=request.user, **key, **details)
        location = {"Location": self.reverse_action("detail", args=[order.pk])}
        headers = location | (REPLAYED_HEADERS if order.replayed else {})
        data = self.get_serializer(order).data
        return Response(data, status.HTTP_201_CREATED, headers=headers)

    @extend_schema(
        summary="Quote an order",
        description="What the order would cost, and whether the shop can supply it: the same body "
        "and errors as placing it, but nothing is written or reserved. No log-in is needed.",
        request=PlaceOrderSerializer,
        responses={200: QuoteSerializer},
        extensions={
            "x-problems": [
                *("out_of_stock", "price_changed", "order_limit_reached", "email_unconfirmed")
            ]
        },
    )
    @action(detail=False, methods=["post"], permission_classes=[permissions.AllowAny])
    def quote(self, request):
        details = self.get_order_details(request)
        with map_order_errors(request):
            order = Order.objects.quote(by=request.user, **details)
        return Response(QuoteSerializer(order).data)

    def call_verb(self, verb, serializer_class=TransitionSerializer, **extra):
        request = self.request
        order = self.get_object()
        serializer = serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        with map_verb_errors(request):
            verb(order, by=request.user, **serializer.validated_data, **extra)
        return self.get_response(order.pk, headers=REPLAYED_HEADERS if order.replayed else None)

    def verb_schema(summary, description, *problems, request=TransitionSerializer, parameters=None):
        return extend_schema(
            summary=summary,
            description=description,
            request=request,
            parameters=parameters,
            responses={200: OrderSerializer},
            extensions={"x-problems": ["illegal_transition", *problems]},
        )

    @verb_schema(
        "Cancel an order",
        "Your own, or anyone's if you are staff, while it is placed or confirmed. The stock is "
        "put back. Cancelling again changes nothing and is a 200.",
        "permission_denied",
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request, pk=None):
        return self.call_verb(Order.cancel)

    @verb_schema("Confirm an order", "Staff only, while it is placed.", "permission_denied")
    @action(detail=True, methods=["post"])
    def confirm(self, request, pk=None):
        return self.call_verb(Order.confirm)

    @verb_schema(
        "Ship an order",
        "Staff only, while it is confirmed. The customer sees carrier and tracking number.",
        "permission_denied",
        request=ShipSerializer,
    )
    @action(detail=True, methods=["post"])
    def ship(self, request, pk=None):
        return self.call_verb(Order.ship, ShipSerializer)

    @verb_schema(
        "Mark an order as delivered", "Staff only, while it is shipped.", "permission_denied"
    )
    @action(detail=True, methods=["post"])
    def deliver(self, request, pk=None):
        return self.call_verb(Order.deliver)

    @verb_schema(
        "Undo a shipping or a delivery",
        "Staff only, within a day of it: a shipped order is confirmed again, a delivered one "
        "shipped. Carrier and tracking number of an undone shipping are erased. An order of which "
        "something came back stays shipped, and a delivery of a closed account stays delivered.",
        "permission_denied",
        request=UndoSerializer,
    )
    @action(detail=True, methods=["post"])
    def undo(self, request, pk=None):
        return self.call_verb(Order.undo, UndoSerializer)

    @verb_schema(
        "Correct the address of an order",
        "Staff only, while it is placed or confirmed. An event keeps the address that it had. An "
        "order that the customer meant to collect is shipped then. Sending the same address again "
        "changes nothing.",
        "permission_denied",
        request=CorrectAddressSerializer,
    )
    @action(detail=True, methods=["post"], url_path="correct-address")
    def correct_address(self, request, pk=None):
        return self.call_verb(Order.correct_address, CorrectAddressSerializer)

    @verb_schema(
        "Take items back",
        "Staff only, once the order is shipped. The pieces are in stock again, or written off if "
        "they are `damaged`; the stock history names the order. Never more than were sold. No "
        "money is moved. With an `Idempotency-Key` you can safely send the request again: a "
        "response that is marked `Idempotent-Replayed` shows the order as it is now.",
        *("permission_denied", "too_many_returned", "idempotency_key_reused"),
        request=ReturnSerializer,
        parameters=[IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED],
    )
    @action(detail=True, methods=["post"], url_path="return")
    def return_items(self, request, pk=None):
        key = key_and_fingerprint(request, [pk, request.data])
        return self.call_verb(Order.return_items, ReturnSerializer, **key)


@extend_schema(
    tags=["products"],
    summary="Get a product's stock history",
    description="Staff only. Everything that changed the stock, newest first: adjustments, sales, "
    "cancelled sales and returns. The deltas add up to the stock.",
    extensions={"x-problems": ["permission_denied"]},
)
class StockHistory(CheckRequestMixin, generics.ListAPIView):
    """Here and not in products, because it lists orders."""

    serializer_class = StockMovementSerializer

    def get_permissions(self):
        return [StaffPermission("products.view_stockadjustment")]

    def get_queryset(self):
        return stock_ledger.list_movements(get_object_or_404(Product, pk=self.kwargs["pk"]))
