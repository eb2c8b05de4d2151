from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, viewsets

from changes.models import Change
from changes.pagination import FeedPagination
from changes.serializers import ChangeSerializer, expand
from shopply.api.permissions import StaffPermission
from shopply.api.query_params import CheckRequestMixin

BOOLEANS = {"true": True, "false": False}


@extend_schema(tags=["changes"])
@extend_schema_view(
    list=extend_schema(
        summary="Follow what changes",
        description="Staff only. Every change of a product, an order or a customer, in the order "
        "of their transactions: whoever asks again with the last `cursor` misses none, as no "
        "later page has an earlier change. An empty page has a cursor too. To start, note the "
        "cursor of `after=latest`, read the lists, and follow from that cursor. A cursor from "
        "before a restore, or of a change that is not kept any more, is a 400 `unknown_cursor`: "
        "start anew.",
        parameters=[
            OpenApiParameter(
                "expand",
                bool,
                description="Whether each change has its `object`, as it is now.",
            )
        ],
        extensions={"x-problems": ["permission_denied"]},
    )
)
class ChangeViewSet(CheckRequestMixin, mixins.ListModelMixin, viewsets.GenericViewSet):
    queryset = Change.objects.all()
    serializer_class = ChangeSerializer
    pagination_class = FeedPagination
    own_query_params = ("expand",)

    def get_permissions(self):
        models = ("products.view_product", "orders.view_order", "customers.view_customer")
        return [StaffPermission(*models)]

    def paginate_queryset(self, queryset):
        is_expanded = self.request.query_params.get("expand", "false")
        if is_expanded not in BOOLEANS:
            raise exceptions.ValidationError({"expand": "Must be true or false."})
        changes = super().paginate_queryset(queryset)
        if BOOLEANS[is_expanded]:
            expand(changes, self.get_serializer_context())
        return changes
