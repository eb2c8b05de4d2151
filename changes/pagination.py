"""Pagination of the feed: by cursor, forwards only."""

from rest_framework import exceptions, pagination
from rest_framework.response import Response

from changes.models import Cursor, UnknownCursor
from shopply.api.pagination import PageSizeMixin

LATEST = "latest"
CURSOR_EXAMPLE = "3q2-7wABQjSvVm8BI0VniQAAAAAAAAPoAAAAAAAAACo"


class FeedPagination(PageSizeMixin, pagination.CursorPagination):
    """`{results, cursor}`: the changes after a cursor, and the cursor to ask with next time."""

    page_size = 100
    cursor_query_param = "after"
    cursor_query_description = (
        "The `cursor` of the last response, or of any change. Without it, the feed begins with the "
        "oldest change that is kept; with `latest` the response is empty, and has the cursor of "
        "the newest one."
    )

    def paginate_queryset(self, queryset, request, view=None):
        changes = queryset.model.objects
        after, size = request.query_params.get(self.cursor_query_param), self.get_page_size(request)
        if after == LATEST:
            self.cursor = changes.latest_cursor()
            return []
        try:
            page, self.cursor = changes.read(None if after is None else Cursor.parse(after), size)
        except UnknownCursor:
            raise exceptions.ValidationError(
                {
                    self.cursor_query_param: "Not a cursor of this feed, or not any more: note the "
                    "cursor of `after=latest`, and read all lists anew."
                },
                "unknown_cursor",
            ) from None
        return page

    def get_paginated_response(self, data):
        return Response({"results": data, "cursor": str(self.cursor)})

    def get_paginated_response_schema(self, schema):
        fields = {
            "results": schema,
            "cursor": {
                "type": "string",
                "description": "Send it as `after` in the next request.",
                "example": CURSOR_EXAMPLE,
            },
        }
        return {"type": "object", "required": list(fields), "properties": fields}
