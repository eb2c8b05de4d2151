"""`PATCH /api/products/`: many products at once, as tills and partners send them."""

import orjson
from django.db import IntegrityError
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from products.bulk import EXPIRES, MAX_PRODUCTS, BulkUpdate
from products.bulk_serializers import BulkProductSerializer
from products.models import Product, StockOutOfBounds
from products.problems import map_product_errors, stock_out_of_bounds
from products.serializers import ProductSerializer
from shopply.api.exceptions import ProblemException
from shopply.api.idempotency import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    REPLAYED_HEADERS,
    key_and_fingerprint,
)
from shopply.api.permissions import require
from shopply.api.preconditions import not_supported
from shopply.api.renderers import JSONRenderer

LIMITS = {"allow_empty": False, "max_length": MAX_PRODUCTS}


class BulkUpdateMixin:
    @extend_schema(
        operation_id="products_bulk_update",
        summary="Change many products",
        description=f"Staff only. Send an array of 1 to {MAX_PRODUCTS} objects. Each names a "
        "product by `id` or `sku` and has the fields to change, as in `PATCH /api/products/{id}/`; "
        "with an `id`, `sku` is the new SKU. All are changed or none: the `pointer` of an error "
        "names the row, such as `/7/price`. The response has the changed products, in the order of "
        "the rows. With an `Idempotency-Key` you can safely send the request again, within "
        f"{EXPIRES.days} days.",
        parameters=[IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED],
        request=BulkProductSerializer(many=True, partial=True, **LIMITS),
        responses={200: ProductSerializer(many=True)},
        extensions={
            "x-problems": ["permission_denied", "stock_out_of_bounds", "idempotency_key_reused"]
        },
    )
    def bulk_update(self, request):
        if "If-Match" in request.headers:
            raise not_supported()
        key = key_and_fingerprint(request, request.data)
        try:
            content, headers = self.update_products(request, key), {}
        except (ValidationError, IntegrityError, ProblemException):
            # Perhaps the same request was made before, and took the key or a SKU.
            with map_product_errors():
                first = BulkUpdate.objects.sent_by(request.user, **key)
            if first is None:
                raise
            content, headers = first.response, REPLAYED_HEADERS
        return Response(orjson.loads(content), headers=headers)

    def update_products(self, request, key):
        """Change the products; return them as JSON."""
        context = self.get_serializer_context()
        serializer = BulkProductSerializer(
            data=request.data,
            many=True,
            partial=True,
            context=context,
            **LIMITS,
        )
        serializer.is_valid(raise_exception=True)
        changes = serializer.validated_data
        if any("quantity_in_stock" in fields for fields in changes.values()):
            require(request.user, "products.add_stockadjustment")  # they are stocktakes

        def represent():
            products = self.get_queryset().in_bulk(changes)
            products = [products[pk] for pk in changes]
            Product.objects.load_related(products, request.user)
            data = ProductSerializer(products, many=True, context=context)
            return JSONRenderer().render(data.data).decode()

        try:
            return BulkUpdate.objects.make(changes, by=request.user, represent=represent, **key)
        except StockOutOfBounds as exc:
            pointer = f"/{[*changes].index(exc.product.pk)}/quantity_in_stock"
            raise stock_out_of_bounds(exc, pointer) from None
