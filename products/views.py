from django.db.models import ProtectedError
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import exceptions, permissions, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from products import catalogue
from products.filters import BoundedSearch, ProductFilter
from products.models import Product, StockOutOfBounds
from products.records import product_shown
from products.serializers import (
    EXAMPLE,
    NewProductSerializer,
    ProductSerializer,
    StockAdjustmentSerializer,
)
from shopply.api.exceptions import ProblemException

STAFF_ONLY = {"x-problems": ["permission_denied"]}
REVALIDATION = [
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="The `ETag` of the answer you have: if it still holds, you get a 304.",
    ),
    OpenApiParameter(
        "ETag",
        str,
        OpenApiParameter.HEADER,
        response=[200, 304],
        description="Names this very content. Send it with `If-None-Match` the next time.",
    ),
]
NOT_MODIFIED = OpenApiResponse(description="What you have is still what there is.")


@extend_schema(tags=["products"])
@extend_schema_view(
    list=extend_schema(
        summary="List products",
        description="The catalogue, 5 to a page, by id unless `ordering` says otherwise. Anyone "
        "may read it. Retired products (`is_active` false) are listed for staff only.",
        parameters=REVALIDATION,
        responses={200: ProductSerializer(many=True), 304: NOT_MODIFIED},
    ),
    retrieve=extend_schema(
        summary="Get a product",
        description="Anyone may. A retired product is found by staff only.",
        parameters=REVALIDATION,
        responses={200: ProductSerializer, 304: NOT_MODIFIED},
    ),
    create=extend_schema(
        summary="Add a product",
        description="Staff only. `quantity_in_stock` is the opening stock, 0 if left out. "
        "The SKU must be new.",
        extensions=STAFF_ONLY,
        request=NewProductSerializer,
        responses={201: ProductSerializer},
        examples=[
            EXAMPLE,
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
        description="Staff only. Every field but the stock: leave `quantity_in_stock` out, or send "
        "what it is now. Orders already placed keep the old name and price.",
        extensions=STAFF_ONLY,
        examples=[
            EXAMPLE,
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
        description="Staff only. Send only what changes, never the stock. `is_active` false "
        "retires the product. Orders already placed keep the old name and price.",
        extensions=STAFF_ONLY,
        examples=[
            EXAMPLE,
            OpenApiExample("A new price", {"price": "12.20"}, request_only=True),
            OpenApiExample("Retire it", {"is_active": False}, request_only=True),
        ],
    ),
    destroy=extend_schema(
        summary="Delete a product",
        description="Staff only, and only as long as nobody ever ordered it; "
        "otherwise retire it: PATCH `is_active` to false.",
        extensions={"x-problems": ["permission_denied", "product_in_use"]},
    ),
)
class ProductViewSet(viewsets.ModelViewSet):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filter_backends = (DjangoFilterBackend, BoundedSearch)
    filterset_class = ProductFilter
    lookup_value_converter = "int"

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def list(self, request):
        # Links in the answer begin with how the shop was called.
        called = request.META
        key = request.is_secure(), called.get("HTTP_HOST"), called["QUERY_STRING"]
        return self.kept(key, self.make_page)

    def retrieve(self, request, pk):
        return self.kept((pk,), self.make_product)

    def kept(self, key, make):
        """The answer that `make(key)` makes, or that it made before, to staff or others."""
        asked = self.request._request  # is quicker to ask than DRF's, which looks there
        key = self.request.user.is_staff, *key
        page = catalogue.memory.page(key, lambda: make(key), asked.META.get("shopply.turn"))
        return page.answer(asked)

    def make_page(self, key):
        make, memory = super().list, catalogue.memory
        if "in_stock" in self.request.query_params:  # what is sold changes which products there are
            return catalogue.Page(make(self.request).data)
        answer = memory.filled(key, self.get_serializer().to_representation)
        return catalogue.Page(answer or memory.outline(key, lambda: make(self.request).data))

    def make_product(self, key):
        product = product_shown(key[-1], self.request.user)
        if product is None:
            raise exceptions.NotFound
        return catalogue.Page(self.get_serializer(product).data)

    def get_permissions(self):
        if self.request.method in permissions.SAFE_METHODS:
            return [permissions.AllowAny()]
        return [permissions.IsAdminUser()]

    def get_serializer_class(self):
        return NewProductSerializer if self.action == "create" else self.serializer_class

    def filter_queryset(self, queryset):
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    @extend_schema(
        summary="Adjust the stock",
        description="Staff only. Books `delta` pieces in or out; sales going on at the same time "
        "are not lost, as they would be by overwriting the stock. It never falls below 0.",
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
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            adjustment = self.get_object().adjust_stock(by=request.user, **form.validated_data)
        except StockOutOfBounds as exc:
            raise ProblemException(
                "stock_out_of_bounds", f"There are {exc.stock:,} in stock."
            ) from None
        return Response(self.get_serializer(adjustment).data, status.HTTP_201_CREATED)

    def perform_destroy(self, product):
        try:
            product.delete()
        except ProtectedError:
            raise ProblemException(
                "product_in_use",
                "This product was ordered; retire it with `is_active` false instead.",
            ) from None
