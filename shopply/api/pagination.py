"""Pagination shared by the lists: `items_per_page` sets the page size, up to 100."""

import re

from rest_framework import exceptions, pagination

MAX_NUMBER = 10**18 - 1  # fits into a bigint
NUMBER_MESSAGE = "Must be a whole number, 1 or more, of up to 18 digits."


def parse_number(parameter, text):
    """Return the query parameter as an int of 1 to 18 digits. Raises a 400 that names it."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise exceptions.ValidationError({parameter: NUMBER_MESSAGE})
    return int(text)


def link_schemas(path, following, preceding):
    """Return the schemas of `next` and `previous`, with example paths and query strings."""
    return {
        name: {
            "type": ["string", "null"],
            "format": "uri",
            "description": f"URL of the {name} page, or null.",
            "example": f"http://127.0.0.1:8000/api/{path}?{query}",
        }
        for name, query in (("next", following), ("previous", preceding))
    }


class PageSizeMixin:
    page_size_query_param = "items_per_page"
    page_size_query_description = "The page size; values over 100 count as 100."
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
    count_description = "The total number of results."
    page_query_description = "The page number, from 1."
    example_path = "products/1/stock-history/"  # of links in the OpenAPI document
    invalid_page_message = "There is no page {page_number}."

    def get_page_number(self, request, paginator):
        number = parse_number(self.page_query_param, request.query_params.get("page", "1"))
        if number > MAX_NUMBER // self.max_page_size:  # the offset may not fit into a bigint
            raise exceptions.NotFound(self.invalid_page_message.format(page_number=number))
        return number

    def get_paginated_response_schema(self, schema):
        fields = {
            "count": {"type": "integer", "description": self.count_description, "example": 28},
            **link_schemas(self.example_path, "page=3", "page=1"),
            "results": schema,
        }
        return {"type": "object", "required": list(fields), "properties": fields}
