from contextlib import contextmanager

from django.conf import settings
from django.utils.module_loading import import_string
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, status, viewsets
from rest_framework.response import Response

from orders.filters import OrderFilter
from orders.models import MAX_TOTAL, AddressMissing, Order, TotalTooLarge
from orders.serializers import OrderSerializer, PlaceOrderSerializer
from products.models import OutOfStock, UnknownProducts


class OutOfStockProblem(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "out_of_stock"

    def __init__(self, detail, errors):
        super().__init__(detail)
        self.errors = errors


@contextmanager
def refusals_told(lines):
    """Tell why an order is refused, pointing into `lines`, the `items` of the request's body."""
    first = {}
    for index, line in enumerate(lines):
        first.setdefault(line["product"], index)
    try:
        yield
    except UnknownProducts as exc:
        errors = [{} for _ in lines]
        for pk in exc.ids:
            errors[first[pk]] = {"product": f"No product has the id {pk}."}
        raise exceptions.ValidationError({"items": errors}, "does_not_exist") from None
    except OutOfStock as exc:
        raise OutOfStockProblem(
            f"{len(exc.shortages)} of {len(first)} items cannot be supplied.",
            [
                {
                    "pointer": f"/items/{first[short.product.pk]}/quantity",
                    "code": "out_of_stock",
                    "detail": f"{short.product.name}: only {short.available} left."
                    if short.available
                    else f"{short.product.name}: none left.",
                }
                for short in exc.shortages
            ],
        ) from None
    except TotalTooLarge:
        message = f"The order comes to more than {MAX_TOTAL:,}."
        raise exceptions.ValidationError({"items": [message]}, "max_value") from None
    except AddressMissing as exc:
        message = (
            f"Your profile lacks {', '.join(exc.fields)}: send a shipping_address, "
            "or complete your profile."
        )
        raise exceptions.ValidationError({"shipping_address": [message]}, "required") from None


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
class OrderViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = Order.objects.with_items()
    serializer_class = OrderSerializer
    pagination_class = import_string(settings.CURSOR_PAGINATION_CLASS)
    filter_backends = (DjangoFilterBackend,)
    filterset_class = OrderFilter
    lookup_value_converter = "int"

    def get_queryset(self):
        return super().get_queryset().visible_to(self.request.user)

    def filter_queryset(self, queryset):
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    @extend_schema(
        summary="Place an order",
        description="All lines or none. The shop copies name, SKU and price of each product as "
        "they are at this moment, so later changes do not touch your order. It goes to "
        "`shipping_address`, or to the address of your profile. Lines of the same product are "
        "added up; 1 to 100 lines, each of 1 to 10,000 pieces.",
        request=PlaceOrderSerializer,
        responses={201: OrderSerializer},
        extensions={"x-problems": ["out_of_stock"]},
    )
    def create(self, request):
        form = PlaceOrderSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        with refusals_told(form.initial_data["items"]):
            order = Order.objects.place(
                customer=request.user,
                quantities=form.validated_data["items"],
                shipping_address=form.validated_data.get("shipping_address"),
            )
        return Response(self.get_serializer(order).data, status.HTTP_201_CREATED)
