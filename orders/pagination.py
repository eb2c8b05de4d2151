"""Pagination of the order list by cursor."""

import re

from rest_framework import exceptions, pagination

from shopply.api.pagination import MAX_NUMBER, PageSizeMixin, link_schemas


class CursorPagination(PageSizeMixin, pagination.CursorPagination):
    """`{next, previous, results}`, newest first. Orders placed meanwhile repeat and hide none."""

    page_size = 25
    ordering = "-id"
    cursor_query_description = "Where the page begins. Take it from `next` or `previous`."

    def decode_cursor(self, request):
        try:
            cursor = super().decode_cursor(request)
        except exceptions.NotFound:
            raise self.invalid_cursor() from None
        if cursor and not re.fullmatch(r"[0-9]{1,18}", cursor.position or ""):
            raise self.invalid_cursor()
        return cursor

    def paginate_queryset(self, get_page, request, view=None):
        """Return the page that the request asks for.

        `get_page(limit, before, after)` returns orders by id, which has no ties.
        """
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

    def invalid_cursor(self):
        return exceptions.ValidationError(
            {self.cursor_query_param: "Not a cursor of this list."}, "unknown_cursor"
        )

    def get_paginated_response_schema(self, schema):
        links = link_schemas("orders/", "cursor=cD0yNg==", "cursor=cj0xJnA9NTA=")
        fields = {**links, "results": schema}
        return {"type": "object", "required": list(fields), "properties": fields}
