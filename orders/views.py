import hashlib
import json
import re
from functools import partial

from django.shortcuts import get_object_or_404
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, generics, permissions, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from orders import books
from orders.filters import OrderFilter
from orders.models import Order
from orders.moves import IllegalTransition, NotYours
from orders.pagination import CursorPagination
from orders.refusals import refusals_told
from orders.serializers import (
    MoveSerializer,
    OrderSerializer,
    PlaceOrderSerializer,
    QuoteSerializer,
    StockMovementSerializer,
)
from products.models import Product
from shopply.api.exceptions import ProblemException

# No comma outside of quotes: servers join the values of a header that is sent twice by one.
KEY_PATTERN = '"[!#-~]{1,255}"|[!#-+\\--~][!-+\\--~]{0,254}'
KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": f"^({KEY_PATTERN})$"},
    OpenApiParameter.HEADER,
    description="Your own name for this order, so that it is safe to send it again: 1 to 255 "
    "visible ASCII characters, a UUID for example; in double quotes, if it has a comma. The "
    "same key with the same body gives the first answer again; with another body it is a 422. A "
    "refused order frees its key.",
)
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[201],
    description="Sent if this is the first answer again, and no new order was placed.",
)


@extend_schema(tags=["orders"])
@extend_schema_view(
    list=extend_schema(
        summary="List your orders",
        description="Newest first, in pages joined by a cursor: follow `next` until it is null. "
        "Orders placed while you page neither repeat nor hide any. Staff get their own too; "
        "`customer` opens the others to them.",
    ),
    retrieve=extend_schema(
        summary="Get an order",
        description="Your own, or anyone's if you are staff. Another customer's is not found.",
    ),
)
class OrderViewSet(viewsets.GenericViewSet):
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
            return orders.of(self.request.user.pk)
        return orders.visible_to(self.request.user)

    def filter_queryset(self, orders):
        return super().filter_queryset(orders) if self.action == "list" else orders

    def get_response(self, pk):
        """The order with this id, as the caller may see it."""
        order = Order.objects.fetch_visible_to(self.request.user, pk)
        return Response(self.get_serializer(order).data)

    def retrieve(self, request, pk):
        return self.get_response(pk)

    def list(self, request):
        if OrderFilter.base_filters.keys() & request.query_params.keys():
            get_page = self.filter_queryset(self.get_queryset()).page
        else:
            get_page = partial(Order.objects.fetch_history, request.user.pk)
        orders = self.paginate_queryset(get_page)
        return self.get_paginated_response(self.get_serializer(orders, many=True).data)

    @extend_schema(
        summary="Place an order",
        description="All lines or none. The shop copies name, SKU and price of each product as "
        "they are at this moment, so later changes do not touch your order. It goes to "
        "`shipping_address`, or to the address of your profile. Lines of the same product are "
        "added up; 1 to 100 lines, each of 1 to 10,000 pieces. Send an `Idempotency-Key`, and you "
        "may send the order again whenever you did not get an answer.",
        parameters=[KEY, REPLAYED],
        request=PlaceOrderSerializer,
        responses={201: OrderSerializer},
        extensions={
            "x-problems": [
                "out_of_stock",
                "price_changed",
                "order_limit_reached",
                "idempotency_key_reused",
            ]
        },
    )
    def create(self, request):
        key = idempotency_key(request)
        serializer = PlaceOrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with refusals_told(request.data["items"]):
            order = Order.objects.place(
                customer=request.user,
                key=key,
                fingerprint=fingerprint(request.data) if key else "",
                **serializer.validated_data,
            )
        headers = {"Idempotent-Replayed": "true"} if order.replayed else {}
        data = self.get_serializer(order).data
        return Response(data, status.HTTP_201_CREATED, headers=headers)

    @extend_schema(
        summary="Quote an order",
        description="What the order would come to, and whether the shop can supply it: the same "
        "body and the same refusals as placing it, but nothing is written and nothing is "
        "reserved. No log-in is needed.",
        request=PlaceOrderSerializer,
        responses={200: QuoteSerializer},
        extensions={"x-problems": ["out_of_stock", "price_changed", "order_limit_reached"]},
    )
    @action(detail=False, methods=["post"], permission_classes=[permissions.AllowAny])
    def quote(self, request):
        serializer = PlaceOrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with refusals_told(request.data["items"]):
            order = Order.objects.quote(customer=request.user, **serializer.validated_data)
        return Response(QuoteSerializer(order).data)

    def move(self, request, verb):
        order = self.get_object()
        serializer = MoveSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            verb(order, by=request.user, **serializer.validated_data)
        except NotYours:
            raise exceptions.PermissionDenied("This move is for the shop's staff.") from None
        except IllegalTransition as exc:
            raise ProblemException("illegal_transition", str(exc)) from None
        return self.get_response(order.pk)

    def of_move(summary, description, *problems):
        return extend_schema(
            summary=summary,
            description=description,
            request=MoveSerializer,
            responses={200: OrderSerializer},
            extensions={"x-problems": ["illegal_transition", *problems]},
        )

    @of_move(
        "Cancel an order",
        "Your own, or anyone's if you are staff, while it is placed or confirmed. The stock goes "
        "back. Cancelling again changes nothing and is a 200.",
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request, pk=None):
        return self.move(request, Order.cancel)

    @of_move("Confirm an order", "Staff only, while it is placed.", "permission_denied")
    @action(detail=True, methods=["post"])
    def confirm(self, request, pk=None):
        return self.move(request, Order.confirm)

    @of_move("Ship an order", "Staff only, while it is confirmed.", "permission_denied")
    @action(detail=True, methods=["post"])
    def ship(self, request, pk=None):
        return self.move(request, Order.ship)

    @of_move("Tell of its delivery", "Staff only, while it is shipped.", "permission_denied")
    @action(detail=True, methods=["post"])
    def deliver(self, request, pk=None):
        return self.move(request, Order.deliver)


def idempotency_key(request):
    """The key of the request, without the quotes that the IETF draft puts around it; or None."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not re.fullmatch(KEY_PATTERN, given):
        detail = "Must be 1 to 255 visible ASCII characters; in double quotes, if with a comma."
        raise ProblemException(
            "validation_error",
            f"Idempotency-Key: {detail}",
            errors=[{"header": "Idempotency-Key", "code": "invalid", "detail": detail}],
        )
    return given[1:-1] if given.startswith('"') else given


def fingerprint(body):
    """SHA-256 of the body's JSON, whatever the order of its members and the blanks between."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@extend_schema(
    tags=["products"],
    summary="Get a product's stock history",
    description="Staff only. Whatever moved the stock, newest first: adjustments, sales and "
    "cancelled sales. All the deltas add up to the stock.",
    extensions={"x-problems": ["permission_denied"]},
)
class StockHistory(generics.ListAPIView):
    """Here, and not with the products, because it tells of orders."""

    serializer_class = StockMovementSerializer
    permission_classes = (permissions.IsAdminUser,)

    def get_queryset(self):
        return books.history(get_object_or_404(Product, pk=self.kwargs["pk"]))
