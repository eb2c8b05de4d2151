from django.http import Http404, HttpResponse
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import permissions, viewsets
from rest_framework.response import Response

from products.cache import CachedResponse, response_cache
from products.categories import MAX_CATEGORIES, Category, sees_hidden
from products.category_serializers import (
    CATEGORY_EXAMPLE,
    TREE_EXAMPLE,
    CategorySerializer,
    DeletedCategorySerializer,
)
from products.models import Product
from products.problems import map_product_errors
from products.views import NOT_MODIFIED
from shopply.api.permissions import StaffPermission
from shopply.api.preconditions import IF_MATCH, NEW_ETAG, REVALIDATION, matching_revisions
from shopply.api.query_params import CheckRequestMixin

SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The slug of the category.")


@extend_schema(tags=["categories"])
@extend_schema_view(
    list=extend_schema(
        summary="List categories",
        description="The whole tree, by `position`, then by name. It is not paged: there are at "
        f"most {MAX_CATEGORIES:,} categories. Anyone can read it. Only staff see categories that "
        "are not active, and what is below them.",
        parameters=REVALIDATION,
        extensions={"x-problems": ["precondition_failed"]},
        responses={200: CategorySerializer(many=True), 304: NOT_MODIFIED},
        examples=[TREE_EXAMPLE],
    ),
    retrieve=extend_schema(
        summary="Get a category",
        description="With what is below it. Anyone can read it.",
        parameters=[SLUG, *REVALIDATION],
        extensions={"x-problems": ["precondition_failed"]},
        responses={200: CategorySerializer, 304: NOT_MODIFIED},
    ),
    create=extend_schema(
        summary="Add a category",
        description="Staff only. Without `parent` it is at the top. Send `categories` of a "
        "product to put that into it.",
        extensions={"x-problems": ["permission_denied"]},
        responses={201: CategorySerializer},
        examples=[
            CATEGORY_EXAMPLE,
            OpenApiExample(
                "Below another",
                {"name": "Scales", "slug": "scales", "parent": "brewing", "position": 5},
                request_only=True,
            ),
        ],
    ),
    partial_update=extend_schema(
        summary="Change or move a category",
        description="Staff only. Send the fields to change. `parent` moves the category with all "
        "that is below it. Its products stay in it: lists and counts of the categories above it "
        "lose them, those of the new ones get them. No product changes.",
        parameters=[SLUG, IF_MATCH, NEW_ETAG],
        extensions={"x-problems": ["permission_denied", "precondition_failed"]},
        examples=[
            CATEGORY_EXAMPLE,
            OpenApiExample("To the top", {"parent": None}, request_only=True),
            OpenApiExample("Hide it", {"is_active": False}, request_only=True),
        ],
    ),
    destroy=extend_schema(
        summary="Delete a category",
        description="Staff only, and only if there are no categories below it. The category is "
        "taken off its products, which are changed by that and stay; the response says how many "
        "they were.",
        parameters=[SLUG, IF_MATCH],
        extensions={
            "x-problems": [
                *("validation_error", "permission_denied"),
                *("category_in_use", "precondition_failed"),
            ]
        },
        responses={200: DeletedCategorySerializer},
    ),
)
class CategoryViewSet(CheckRequestMixin, viewsets.GenericViewSet):
    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    filter_backends = ()
    pagination_class = None
    lookup_field = "slug"
    lookup_value_converter = "slug"
    if_match_methods = ("PATCH", "DELETE")

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def get_permissions(self):
        if self.request.method in permissions.SAFE_METHODS:
            return [permissions.AllowAny()]
        required = {"create": "products.add_category", "destroy": "products.delete_category"}
        return [StaffPermission(required.get(self.action, "products.change_category"))]

    def list(self, request):
        def make():
            tree = self.get_queryset().as_counted_tree()
            top = [category for category in tree if category.parent is None]
            return CachedResponse(self.get_serializer(top, many=True).data)

        key = ("categories", sees_hidden(request.user))
        return response_cache().get_or_make(key, make).to_response(request)

    def retrieve(self, request, slug):
        return self.represent(slug, self.get_queryset()).to_response(request)

    def represent(self, slug, categories):
        """Return this one of the categories, with all below it, as it is now."""
        for category in categories.as_counted_tree():
            if category.slug == slug:
                return CachedResponse(self.get_serializer(category).data, category.revision)
        raise Http404

    def respond(self, slug, status, **headers):
        """Return the category in the response to a change, also to who may only add some."""
        category = self.represent(slug, Category.objects.all())
        headers |= {"ETag": category.etag}
        return HttpResponse(category.content, "application/json", status, headers=headers)

    def create(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        slug = serializer.save().slug
        return self.respond(slug, 201, Location=self.reverse_action("detail", args=[slug]))

    def partial_update(self, request, slug):
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        with map_product_errors():
            serializer.save(if_revision=matching_revisions(request))
        return self.respond(slug, 200)

    def destroy(self, request, slug):
        with map_product_errors():
            _, deleted = self.get_object().delete(if_revision=matching_revisions(request))
        count = deleted.get(Product.categories.through._meta.label, 0)
        return Response(DeletedCategorySerializer({"products": count}).data)
