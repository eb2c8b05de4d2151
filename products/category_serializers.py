from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from products.categories import (
    MAX_LEVELS,
    MAX_POSITION,
    SLUG_MESSAGE,
    SLUG_PATTERN,
    Category,
)
from shopply.api.fields import CharField, JSONIntegerField
from shopply.api.serializers import ModelSerializer, Serializer

MAX_SLUG_LENGTH = Category.slug.field.max_length


def example(slug, name, position, product_count, parent=None, children=()):
    return {
        "slug": slug,
        "name": name,
        "parent": parent,
        "position": position,
        "is_active": True,
        "product_count": product_count,
        "children": [*children],
    }


CATEGORY_EXAMPLE = OpenApiExample(
    "A category",
    example("paper-filters", "Paper filters", 2, 2, parent="brewing"),
    response_only=True,
)
COFFEES = (
    example("filter-coffee", "Filter coffee", 1, 7, parent="coffee"),
    example("espresso", "Espresso", 2, 4, parent="coffee"),
    example("decaf", "Decaf", 3, 1, parent="coffee"),
)
TREE_EXAMPLE = OpenApiExample(
    "The tree", example("coffee", "Coffee", 1, 12, children=COFFEES), response_only=True
)


class SlugField(CharField):
    openapi = {"pattern": SLUG_PATTERN}


@extend_schema_serializer(examples=[CATEGORY_EXAMPLE])
class CategorySerializer(ModelSerializer):
    slug = SlugField(
        max_length=MAX_SLUG_LENGTH,
        validators=[
            RegexValidator(SLUG_PATTERN.replace("$", r"\Z"), SLUG_MESSAGE),
            UniqueValidator(Category.objects.all(), "Another category has this slug."),
        ],
        help_text="Its name in addresses and filters. It never changes.",
    )
    parent = CharField(
        max_length=MAX_SLUG_LENGTH,
        allow_null=True,
        required=False,
        help_text="The slug of the category above it; null at the top.",
    )
    position = JSONIntegerField(
        min_value=0,
        max_value=MAX_POSITION,
        required=False,
        help_text="Categories below the same one are in this order, then by name.",
    )
    product_count = serializers.IntegerField(
        read_only=True,
        help_text="How many products are for sale in it and below it, each counted once.",
    )

    class Meta:
        model = Category
        fields = ("slug", "name", "parent", "position", "is_active", "product_count", "children")
        extra_kwargs = {
            "name": {"help_text": "What customers see."},
            "is_active": {"help_text": "If not, only staff see it and what is below it."},
        }

    def get_fields(self):
        """Nest the serializer, whose class a declared field could not name yet."""
        children = CategorySerializer(
            many=True,
            read_only=True,
            help_text=f"What is directly below it; the tree has up to {MAX_LEVELS} levels.",
        )
        return super().get_fields() | {"children": children}

    def to_representation(self, category):
        """The fields above, of a category of `as_counted_tree`."""
        return {
            "slug": category.slug,
            "name": category.name,
            "parent": category.parent and category.parent.slug,
            "position": category.position,
            "is_active": category.is_active,
            "product_count": category.product_count,
            "children": [self.to_representation(child) for child in category.child_list],
        }

    def validate_slug(self, slug):
        if self.instance and slug != self.instance.slug:
            message = "A slug never changes, since addresses have it: add another category."
            raise serializers.ValidationError(message, "immutable")
        return slug

    def validate_parent(self, slug):
        """Return the category with this slug."""
        if slug is None:
            return None
        category = Category.objects.filter(slug=slug).first()
        if category is None:
            raise serializers.ValidationError(
                "There is no category with this slug.", "does_not_exist"
            )
        return category

    def validate(self, data):
        if self.instance is None or "parent" in data:
            pk = self.instance and self.instance.pk
            Category(pk=pk, parent=data.get("parent")).check_place()
        return data

    def update(self, category, validated_data):
        category.update_fields(**validated_data)
        return category


@extend_schema_serializer(
    examples=[OpenApiExample("What it did", {"products": 12}, response_only=True)]
)
class DeletedCategorySerializer(Serializer):
    products = serializers.IntegerField(
        help_text="How many products it was taken off. They are still there."
    )
