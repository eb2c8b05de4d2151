from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from products.images import MAX_IMAGES, ProductImage
from shopply.api.fields import CharField, JSONIntegerField
from shopply.api.serializers import ModelSerializer, Serializer

FILE = "ab/ab1f6d0c5e7b2a94d83c6f0e1b5a7d92c4e8f03b6a1d5c7e9f2b4a6d8c0e1f3a"
THUMBNAIL = "3c/3c9e1a7b5d2f4c6e8a0b1d3f5e7c9a2b4d6f8e0c1a3b5d7f9e2c4a6b8d0f1e3c"
IMAGE_EXAMPLE = {
    "id": 7,
    "url": f"http://127.0.0.1:8000/media/{FILE}.webp",
    "alt": "A paper bag of coffee beans",
    "width": 1200,
    "height": 1200,
    "thumbnail_url": f"http://127.0.0.1:8000/media/{THUMBNAIL}.webp",
}


@extend_schema_serializer(examples=[OpenApiExample("An image", IMAGE_EXAMPLE, response_only=True)])
class ProductImageSerializer(ModelSerializer):
    url = serializers.URLField(read_only=True, help_text="A WebP that never changes.")
    thumbnail_url = serializers.URLField(
        read_only=True,
        help_text="A smaller one, of up to 400 pixels a side; the same as `url` until it is made.",
    )

    class Meta:
        model = ProductImage
        fields = ("id", "url", "alt", "width", "height", "thumbnail_url")
        read_only_fields = fields
        extra_kwargs = {
            "id": {"help_text": "The id of the image."},
            "width": {"help_text": "The pixels of `url`."},
            "height": {"help_text": "The pixels of `url`."},
        }

    def to_representation(self, image):
        return serialize_image(image, self.context.get("request"))


@extend_schema_serializer(
    examples=[
        OpenApiExample("Describe it", {"alt": "The bag from behind"}, request_only=True),
        OpenApiExample("Show it first", {"position": 1}, request_only=True),
    ]
)
class ProductImageChangeSerializer(ModelSerializer):
    position = JSONIntegerField(
        min_value=1,
        max_value=MAX_IMAGES,
        help_text="Where to show it among the images of the product: 1 is the first.",
    )
    ignored_fields = tuple({*ProductImageSerializer.Meta.fields} - {"alt"})

    class Meta:
        model = ProductImage
        fields = ("alt", "position")

    def update(self, image, validated_data):
        if validated_data:
            image.change(**validated_data)
        return image


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A picture",
            {"file": "the bytes of the file", "alt": IMAGE_EXAMPLE["alt"]},
            request_only=True,
            media_type="multipart/form-data",
        )
    ]
)
class ProductImageCreateSerializer(Serializer):
    """A form with a file."""

    file = serializers.FileField(
        allow_empty_file=True,  # its error would have the code of an empty array
        help_text="A JPEG, PNG or WebP, whatever its name and media type say.",
    )
    alt = CharField(
        max_length=ProductImage.alt.field.max_length,
        allow_blank=True,
        default="",
        help_text=ProductImage.alt.field.help_text,
    )


def serialize_image(image, request):
    """The fields of ProductImageSerializer, with absolute URLs for a request."""
    absolute = request.build_absolute_uri if request else str
    return {
        "id": image.pk,
        "url": absolute(image.url),
        "alt": image.alt,
        "width": image.width,
        "height": image.height,
        "thumbnail_url": absolute(image.thumbnail_url),
    }
