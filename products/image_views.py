import hashlib

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.response import Response
from rest_framework.reverse import reverse

from products.image_serializers import (
    ProductImageChangeSerializer,
    ProductImageCreateSerializer,
    ProductImageSerializer,
)
from products.images import MAX_IMAGES
from products.models import Product, ProductImage
from products.problems import map_product_errors
from products.uploads import UploadHandler, UploadParser
from shopply.api.idempotency import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    REPLAYED_HEADERS,
    key_and_fingerprint,
)
from shopply.api.permissions import StaffPermission
from shopply.api.query_params import CheckRequestMixin

PRODUCT = OpenApiParameter("id", int, OpenApiParameter.PATH, description="The id of the product.")
IMAGE = OpenApiParameter("image", int, OpenApiParameter.PATH, description="The id of the image.")
PROBLEMS = {"x-problems": ["permission_denied"]}


@extend_schema(tags=["products"])
@extend_schema_view(
    partial_update=extend_schema(
        summary="Change an image",
        description="Staff only. Describes it anew, or moves it among the images of its product.",
        parameters=[PRODUCT, IMAGE],
        request=ProductImageChangeSerializer,
        responses={200: ProductImageSerializer},
        extensions=PROBLEMS,
    ),
    destroy=extend_schema(
        summary="Delete an image",
        description="Staff only. Its file is removed within about a day; caches may keep it.",
        parameters=[PRODUCT, IMAGE],
        extensions=PROBLEMS,
    ),
)
class ProductImageViewSet(
    CheckRequestMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """The pictures of a product are listed with it; here staff change them."""

    queryset = ProductImage.objects.all()
    serializer_class = ProductImageSerializer
    lookup_url_kwarg = "image"
    lookup_value_converter = "int"

    def initialize_request(self, request, *args, **kwargs):
        if request.method == "POST":
            self.parser_classes = (UploadParser,)
            request.upload_handlers = [UploadHandler(request)]
        return super().initialize_request(request, *args, **kwargs)

    def get_permissions(self):
        return [StaffPermission("products.change_product")]

    def get_queryset(self):
        images = super().get_queryset().select_related("product")
        # By a subquery: a number that no column can hold is none, and no error.
        return images.filter(product__in=Product.objects.filter(pk=self.kwargs["pk"]))

    @extend_schema(
        summary="Add an image",
        description=f"Staff only. A form with a file, as `multipart/form-data`, of up to 10 MB and "
        f"25 megapixels; up to {MAX_IMAGES} to a product. The picture is drawn anew: upright, of "
        "up to 2,000 pixels a side, without what else the file held, such as where it was taken. "
        "It becomes the last of the product. With an `Idempotency-Key` you can safely send it "
        "again.",
        parameters=[PRODUCT, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED],
        extensions={
            "x-problems": ["permission_denied", "too_many_images", "idempotency_key_reused"]
        },
        request={"multipart/form-data": ProductImageCreateSerializer},
        responses={201: ProductImageSerializer},
    )
    def create(self, request, pk):
        product = get_object_or_404(Product, pk=pk)
        serializer = ProductImageCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        content = serializer.validated_data["file"].read()
        alt = serializer.validated_data["alt"]
        depends_on = [product.pk, hashlib.sha256(content).hexdigest(), alt]
        with map_product_errors():
            image = ProductImage.objects.add(
                product,
                content,
                alt=alt,
                by=request.user,
                **key_and_fingerprint(request, depends_on),
            )
        url = reverse("product-detail", args=[product.pk], request=request)
        headers = {"Location": url} | (REPLAYED_HEADERS if image.replayed else {})
        data = self.get_serializer(image).data
        return Response(data, status.HTTP_201_CREATED, headers=headers)

    def partial_update(self, request, pk, image):
        serializer = ProductImageChangeSerializer(
            self.get_object(), data=request.data, partial=True
        )
        serializer.is_valid(raise_exception=True)
        return Response(self.get_serializer(serializer.save()).data)

    def perform_destroy(self, image):
        image.remove()
