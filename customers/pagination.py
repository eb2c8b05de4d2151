"""Pagination of the customer list: a bare array, with links to other pages in a header."""

from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from shopply.api.pagination import PageNumberPagination


class LinkHeaderPagination(PageNumberPagination):
    """A bare array; the `Link` header (RFC 8288) has the first, previous, next and last page."""

    page_size = 100

    def get_paginated_response(self, data):
        return Response(data, headers={"Link": ", ".join(self.links())})

    def links(self):
        pages = {
            "first": 1,
            "prev": self.page.has_previous() and self.page.number - 1,
            "next": self.page.has_next() and self.page.number + 1,
            "last": self.page.paginator.num_pages,
        }
        url = self.request.build_absolute_uri()
        targets = {
            number: replace_query_param(url, self.page_query_param, number)
            for number in {*pages.values()} - {False}
        }
        for relation, number in pages.items():
            if number:
                yield f'<{targets[number]}>; rel="{relation}"'

    def get_paginated_response_schema(self, schema):
        return schema
