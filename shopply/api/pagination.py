"""Pagination of lists: numbered pages, pages linked by `Link` headers, and a cursor.

No list is unbounded: `items_per_page` sets the size of every list's page, up to 100.
"""

import re

from rest_framework import exceptions, pagination
from rest_framework.response import Response

MAX_NUMBER = 10**18 - 1  # of 18 digits, which no database takes for too many


def parse_number(parameter, text):
    """The query parameter as an int from 1 to 18 digits long; anything else is a 400 naming it."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise exceptions.ValidationError({parameter: "Must be a whole number, 1 or more."})
    return int(text)


def link_schemas(following, preceding):
    """The schema of `next` and `previous`, with examples of their query strings."""
    return {
        name: {
            "type": ["string", "null"],
            "format": "uri",
            "description": f"Address of the {name} page; null where there is none.",
            "example": f"http://127.0.0.1:8000/api/…/?{query}",
        }
        for name, query in (("next", following), ("previous", preceding))
    }


class PageSizeMixin:
    page_size_query_param = "items_per_page"
    page_size_query_description = "How many items a page has; more than 100 gives 100."
    max_page_size = 100

    def get_page_size(self, request):
        requested_size = request.query_params.get(self.page_size_query_param)
        if requested_size is None:
            return self.page_size
        return min(parse_number(self.page_size_query_param, requested_size), self.max_page_size)

    def get_schema_operation_parameters(self, view):
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["schema"]["type"] == "integer":
                parameter["schema"] |= {"minimum": 1, "maximum": MAX_NUMBER}
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"]["default"] = self.page_size
        return parameters


class PageNumberPagination(PageSizeMixin, pagination.PageNumberPagination):
    """`{count, next, previous, results}`"""

    page_size = 5
    count_description = (
        "Of all pages. Of what a search or filter finds, 10000 means that many or more."
    )
    page_query_description = "Which page, counting from 1."
    invalid_page_message = "There is no page {page_number}."

    def get_page_number(self, request, paginator):
        return parse_number(self.page_query_param, request.query_params.get("page", "1"))

    def get_paginated_response_schema(self, schema):
        fields = {
            "count": {"type": "integer", "description": self.count_description, "example": 28},
            **link_schemas("page=3", "page=1"),
            "results": schema,
        }
        return {"type": "object", "required": list(fields), "properties": fields}


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
            number: pagination.replace_query_param(url, self.page_query_param, number)
            for number in {*pages.values()} - {False}
        }
        for relation, number in pages.items():
            if number:
                yield f'<{targets[number]}>; rel="{relation}"'

    def get_paginated_response_schema(self, schema):
        return schema


class CursorPagination(PageSizeMixin, pagination.CursorPagination):
    """`{next, previous, results}`, newest first; rows added meanwhile hide and repeat none."""

    page_size = 25
    ordering = "-id"
    cursor_query_description = "Where the page begins: taken from `next` or `previous`, not made."

    def decode_cursor(self, request):
        try:
            cursor = super().decode_cursor(request)
        except exceptions.NotFound:
            raise self.not_ours() from None
        if cursor and not re.fullmatch(r"[0-9]{1,18}", cursor.position or ""):
            raise self.not_ours()
        return cursor

    def paginate_queryset(self, get_page, request, view=None):
        """`get_page(limit, before, after)` returns rows by id: DRF's own way counts equal ids."""
        self.base_url = request.build_absolute_uri()
        size, cursor = self.get_page_size(request), self.decode_cursor(request)
        start = cursor and int(cursor.position)
        backwards = bool(cursor and cursor.reverse)
        page = get_page(size + 1, **{"after" if backwards else "before": start})
        more = len(page) > size
        page = page[-size:] if backwards else page[:size]
        self.next = self.previous = None
        if backwards or more:
            last = page[-1].pk if page else min(start + 1, MAX_NUMBER)
            self.next = pagination.Cursor(0, False, str(last))
        if more if backwards else cursor:
            first = page[0].pk if page else max(start - 1, 0)
            self.previous = pagination.Cursor(0, True, str(first))
        return page

    def get_next_link(self):
        return self.next and self.encode_cursor(self.next)

    def get_previous_link(self):
        return self.previous and self.encode_cursor(self.previous)

    def not_ours(self):
        return exceptions.ValidationError(
            {self.cursor_query_param: "Not a cursor that this list gave out."}, "unknown_cursor"
        )

    def get_paginated_response_schema(self, schema):
        fields = {**link_schemas("cursor=cD0yNg==", "cursor=cj0xJnA9NTA="), "results": schema}
        return {"type": "object", "required": list(fields), "properties": fields}
