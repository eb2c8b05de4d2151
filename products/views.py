from django.db import IntegrityError
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import permissions, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.reverse import reverse

from products.bulk_views import BulkUpdateMixin
from products.cache import CachedResponse, response_cache
from products.categories import sees_hidden
from products.filters import ProductFilter, ProductSearchFilter
from products.managers import sees_retired
from products.models import Product, StockAdjustment
from products.pagination import FILTER_PARAMS, ProductPagination
from products.problems import map_product_errors
from products.serializers import (
    PRODUCT_EXAMPLE,
    ProductCreateSerializer,
    ProductSerializer,
    StockAdjustmentSerializer,
)
from shopply.api.idempotency import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    REPLAYED_HEADERS,
    key_and_fingerprint,
)
from shopply.api.permissions import StaffPermission, denial, require
from shopply.api.preconditions import IF_MATCH, NEW_ETAG, REVALIDATION, matching_revisions
from shopply.api.query_params import CheckRequestMixin

NOT_MODIFIED = OpenApiResponse(description="Nothing changed.")


@extend_schema(tags=["products"])
@extend_schema_view(
    list=extend_schema(
        summary="List products",
        description="The catalogue, 5 to a page, by id unless you set `ordering`. Anyone can read "
        "it. Only staff see retired products (`is_active` false) and `low_stock_at`, and filter by "
        "`low`.",
        parameters=REVALIDATION,
        extensions={
            "x-problems": ["precondition_failed", "not_authenticated", "permission_denied"]
        },
        responses={200: ProductSerializer(many=True), 304: NOT_MODIFIED},
    ),
    retrieve=extend_schema(
        summary="Get a product",
        description="Anyone can read it. Only staff find a retired product.",
        parameters=REVALIDATION,
        extensions={"x-problems": ["precondition_failed"]},
        responses={200: ProductSerializer, 304: NOT_MODIFIED},
    ),
    create=extend_schema(
        summary="Add a product",
        description="Staff only. `quantity_in_stock` is the opening stock, 0 by default. "
        "The SKU is optional; it must be unique, regardless of case. With an `Idempotency-Key` you "
        "can safely send the request again, also without an SKU.",
        parameters=[IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED],
        extensions={"x-problems": ["permission_denied", "idempotency_key_reused"]},
        request=ProductCreateSerializer,
        responses={201: ProductSerializer},
        examples=[
            PRODUCT_EXAMPLE,
            OpenApiExample(
                "A new product",
                {
                    "name": "Gedeb Worka, 250 g",
                    "description": "Natural Ethiopian coffee, light roast. Blueberry, cocoa.",
                    "sku": "COF-GED-250",
                    "price": "12.40",
                    "quantity_in_stock": 60,
                },
                request_only=True,
            ),
        ],
    ),
    update=extend_schema(
        summary="Replace a product",
        description="Staff only. Send every field but the stock: leave `quantity_in_stock` out, or "
        "send its current value. Existing orders keep the old name and price.",
        parameters=[IF_MATCH, NEW_ETAG],
        extensions={"x-problems": ["permission_denied", "precondition_failed"]},
        examples=[
            PRODUCT_EXAMPLE,
            OpenApiExample(
                "The whole product",
                {
                    "name": "Yirgacheffe Kochere, 250 g",
                    "description": "Washed Ethiopian coffee. Jasmine, lemon peel, black tea.",
                    "sku": "COF-ETH-250",
                    "price": "12.20",
                    "is_active": True,
                },
                request_only=True,
            ),
        ],
    ),
    partial_update=extend_schema(
        summary="Change a product",
        description="Staff only. Send the fields to change. `is_active` false retires the product. "
        "`quantity_in_stock` is a stocktake: the number of pieces you counted. The difference to "
        "the current stock is booked as an adjustment, together with the other fields. Existing "
        "orders keep the old name and price.",
        parameters=[IF_MATCH, NEW_ETAG],
        extensions={
            "x-problems": ["permission_denied", "precondition_failed", "stock_out_of_bounds"]
        },
        examples=[
            PRODUCT_EXAMPLE,
            OpenApiExample("A new price", {"price": "12.20"}, request_only=True),
            OpenApiExample("A stocktake", {"quantity_in_stock": 50}, request_only=True),
            OpenApiExample("Retire it", {"is_active": False}, request_only=True),
        ],
    ),
    destroy=extend_schema(
        summary="Delete a product",
        description="Staff only, and only if it was never ordered. Otherwise retire it: "
        "PATCH `is_active` to false.",
        parameters=[IF_MATCH],
        extensions={
            "x-problems": [
                "validation_error",
                "permission_denied",
                "product_in_use",
                "precondition_failed",
            ]
        },
    ),
)
class ProductViewSet(BulkUpdateMixin, CheckRequestMixin, viewsets.ModelViewSet):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filter_backends = (DjangoFilterBackend, ProductSearchFilter)
    filterset_class = ProductFilter
    pagination_class = ProductPagination
    lookup_value_converter = "int"
    if_match_methods = ("PUT", "PATCH", "DELETE")

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def list(self, request):
        if "low" in request.query_params and not sees_retired(request.user):
            self.permission_denied(request, denial(request.user, "products.view_product"))
        # Links in the response contain the scheme and host of the request.
        meta = request.META
        key = (
            *(sees_retired(request.user), sees_hidden(request.user)),
            *(request.is_secure(), meta.get("HTTP_HOST"), meta["QUERY_STRING"]),
        )
        make = super().list
        response = response_cache().get_or_make(key, lambda: CachedResponse(make(request).data))
        return response.to_response(request)

    def retrieve(self, request, pk):
        product = Product.objects.get_visible_to(request.user, pk)
        Product.objects.load_related([product], request.user)
        return CachedResponse(self.get_serializer(product).data, product.revision).to_response(
            request
        )

    def get_permissions(self):
        if self.request.method in permissions.SAFE_METHODS:
            return [permissions.AllowAny()]
        required = {
            "create": "products.add_product",
            "destroy": "products.delete_product",
            "adjust_stock": "products.add_stockadjustment",
        }
        return [StaffPermission(required.get(self.action, "products.change_product"))]

    def get_success_headers(self, data):
        return {"Location": self.reverse_action("detail", args=[data["id"]])}

    def get_serializer_class(self):
        return ProductCreateSerializer if self.action == "create" else self.serializer_class

    def filter_queryset(self, queryset):
        """Skip the filters if the request has none: their form takes half of "product list, 5"."""
        params = self.request.query_params.keys()
        if self.action == "list" and params & {"ordering", *FILTER_PARAMS}:
            return super().filter_queryset(queryset)
        return queryset

    def create(self, request):
        try:
            return super().create(request)
        except (ValidationError, IntegrityError):
            # Perhaps the same request was made before, and took the key or the SKU.
            response = self.get_first_response(request)
            if response is None:
                raise
            return response

    def perform_create(self, serializer):
        key = key_and_fingerprint(self.request, self.request.data)
        serializer.save(by=self.request.user, **key)

    def get_first_response(self, request):
        """Return the response to the first request with this key; None if there was none."""
        key = key_and_fingerprint(request, request.data)
        with map_product_errors():
            opening = StockAdjustment.objects.booked_by(request.user, **key)
        if opening is None:
            return None
        serializer = self.get_serializer(opening.product, data=request.data)  # its SKU is its own
        serializer.is_valid(raise_exception=True)
        product = opening.product.as_originally_created(**serializer.validated_data)
        data = self.get_serializer(product).data
        headers = REPLAYED_HEADERS | self.get_success_headers(data)
        return Response(data, status.HTTP_201_CREATED, headers=headers)

    def update(self, request, pk, partial=False):
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        if partial and "quantity_in_stock" in serializer.validated_data:
            require(request.user, "products.add_stockadjustment")  # it is a stocktake
        with map_product_errors():
            product = serializer.save(by=request.user, if_revision=matching_revisions(request))
        etag = CachedResponse(serializer.data, product.revision).etag
        return Response(serializer.data, headers={"ETag": etag})

    def perform_destroy(self, product):
        with map_product_errors():
            product.delete(if_revision=matching_revisions(self.request))

    @extend_schema(
        summary="Adjust the stock",
        description="Staff only. Adds `delta` pieces to the stock, or takes them if it is "
        "negative. Simultaneous sales are not lost. The stock never falls below 0. With an "
        "`Idempotency-Key` you can safely send the adjustment again.",
        parameters=[IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED],
        extensions={
            "x-problems": ["permission_denied", "stock_out_of_bounds", "idempotency_key_reused"]
        },
        responses={201: StockAdjustmentSerializer},
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="adjust-stock",
        serializer_class=StockAdjustmentSerializer,
    )
    def adjust_stock(self, request, pk=None):
        product = self.get_object()
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with map_product_errors("/delta"):
            adjustment = product.adjust_stock(
                by=request.user,
                **key_and_fingerprint(request, [pk, request.data]),
                **serializer.validated_data,
            )
        history = reverse("stock-history", args=[pk], request=request)
        headers = {"Location": history} | (REPLAYED_HEADERS if adjustment.replayed else {})
        data = self.get_serializer(adjustment).data
        return Response(data, status.HTTP_201_CREATED, headers=headers)
