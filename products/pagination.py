"""Pagination of the product list, at a cost that hardly grows with the catalogue."""

from django.core.paginator import Page, Paginator
from rest_framework.exceptions import NotFound

from products.filters import ProductFilter
from products.managers import COUNT_LIMIT
from products.models import Product
from shopply.api.pagination import PageNumberPagination

FILTER_PARAMS = {"search", *ProductFilter.base_filters} - {"ordering"}


class ProductPagination(PageNumberPagination):
    """`count` is exact for the whole list, and stops at COUNT_LIMIT for searches and filters."""

    count_description = (
        "The total number of results. For searches and filters it stops at "
        f"{COUNT_LIMIT:,}; keep following `next`."
    )
    example_path = "products/"

    def paginate_queryset(self, products, request, view=None):
        self.request = request
        number, size = self.get_page_number(request, None), self.get_page_size(request)
        start, stop = (
            (number - 1) * size,
            number * size + 1,
        )  # one more, to see whether there is a next page
        params = request.query_params.keys()
        if params & FILTER_PARAMS:
            count = products.order_by()[:COUNT_LIMIT].count()
            if count < COUNT_LIMIT:
                products = products.via_subquery(COUNT_LIMIT)
        else:
            count = Product.objects.count_visible_to(request.user)
        if params & {"ordering", *FILTER_PARAMS}:
            rows = list(products[start:stop])
        else:
            rows = Product.objects.fetch_visible_to(request.user, start, stop)
        if number > 1 and not rows:
            raise NotFound(self.invalid_page_message.format(page_number=number))
        paginator = Paginator(products, size)
        paginator.count, paginator.num_pages = count, number + (len(rows) > size)
        self.page = Page(rows[:size], number, paginator)
        Product.objects.load_related(self.page.object_list, request.user)
        return self.page.object_list
