from django.db.models import ProtectedError
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import permissions, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.reverse import reverse

from products.cache import CachedResponse, response_cache
from products.filters import ProductFilter, ProductSearchFilter
from products.models import Product, StockOutOfBounds
from products.pagination import FILTER_PARAMS, ProductPagination
from products.serializers import (
    PRODUCT_EXAMPLE,
    ProductCreateSerializer,
    ProductSerializer,
    StockAdjustmentSerializer,
)
from shopply.api.exceptions import ProblemException
from shopply.api.query_params import CheckQueryParamsMixin

STAFF_ONLY = {"x-problems": ["permission_denied"]}
REVALIDATION = [
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="The `ETag` of the response you have. If nothing changed, you get a 304.",
    ),
    OpenApiParameter(
        "ETag",
        str,
        OpenApiParameter.HEADER,
        response=[200, 304],
        description="Identifies this content. Send it as `If-None-Match` the next time.",
    ),
]
NOT_MODIFIED = OpenApiResponse(description="Nothing changed.")


@extend_schema(tags=["products"])
@extend_schema_view(
    list=extend_schema(
        summary="List products",
        description="The catalogue, 5 to a page, by id unless you set `ordering`. Anyone can read "
        "it. Only staff see retired products (`is_active` false).",
        parameters=REVALIDATION,
        responses={200: ProductSerializer(many=True), 304: NOT_MODIFIED},
    ),
    retrieve=extend_schema(
        summary="Get a product",
        description="Anyone can read it. Only staff find a retired product.",
        parameters=REVALIDATION,
        responses={200: ProductSerializer, 304: NOT_MODIFIED},
    ),
    create=extend_schema(
        summary="Add a product",
        description="Staff only. `quantity_in_stock` is the opening stock, 0 by default. "
        "The SKU is optional; it must be unique, regardless of case.",
        extensions=STAFF_ONLY,
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
        extensions=STAFF_ONLY,
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
        description="Staff only. Send the fields to change, but not the stock. `is_active` "
        "false retires the product. Existing orders keep the old name and price.",
        extensions=STAFF_ONLY,
        examples=[
            PRODUCT_EXAMPLE,
            OpenApiExample("A new price", {"price": "12.20"}, request_only=True),
            OpenApiExample("Retire it", {"is_active": False}, request_only=True),
        ],
    ),
    destroy=extend_schema(
        summary="Delete a product",
        description="Staff only, and only if it was never ordered. Otherwise retire it: "
        "PATCH `is_active` to false.",
        extensions={"x-problems": ["permission_denied", "product_in_use"]},
    ),
)
class ProductViewSet(CheckQueryParamsMixin, viewsets.ModelViewSet):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filter_backends = (DjangoFilterBackend, ProductSearchFilter)
    filterset_class = ProductFilter
    pagination_class = ProductPagination
    lookup_value_converter = "int"

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def list(self, request):
        # Links in the response contain the scheme and host of the request.
        meta = request.META
        key = (
            request.user.is_staff,
            *(request.is_secure(), meta.get("HTTP_HOST"), meta["QUERY_STRING"]),
        )
        make = super().list
        response = response_cache().get_or_make(key, lambda: CachedResponse(make(request).data))
        return response.to_response(request)

    def retrieve(self, request, pk):
        product = Product.objects.get_visible_to(request.user, pk)
        return CachedResponse(self.get_serializer(product).data).to_response(request)

    def get_permissions(self):
        if self.request.method in permissions.SAFE_METHODS:
            return [permissions.AllowAny()]
        return [permissions.IsAdminUser()]

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

    @extend_schema(
        summary="Adjust the stock",
        description="Staff only. Adds `delta` pieces to the stock, or takes them if it is "
        "negative. Simultaneous sales are not lost. The stock never falls below 0.",
        extensions={"x-problems": ["permission_denied", "stock_out_of_bounds"]},
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
        try:
            adjustment = product.adjust_stock(by=request.user, **serializer.validated_data)
        except StockOutOfBounds as exc:
            raise ProblemException(
                "stock_out_of_bounds", f"There are {exc.stock:,} in stock."
            ) from None
        history = reverse("stock-history", args=[pk], request=request)
        data = self.get_serializer(adjustment).data
        return Response(data, status.HTTP_201_CREATED, headers={"Location": history})

    def perform_destroy(self, product):
        try:
            product.delete()
        except ProtectedError:
            raise ProblemException(
                "product_in_use",
                "This product was ordered: retire it with `is_active` false instead.",
            ) from None
