"""Query parameters: an unknown or repeated one is an error, and not ignored in silence."""

from django_filters.filters import BaseCSVFilter
from rest_framework.filters import SearchFilter

from shopply.api.exceptions import ProblemException
from shopply.api.serializers import reject_fields
from shopply.api.spelling import describe_unknown_name

MAX_ERRORS = 10


class CheckRequestMixin:
    """Checks the names of query parameters before the view runs, and that a DELETE has no members.

    A list knows those of its filters, its search and its pagination, and `own_query_params`; any
    view knows `format=json`.
    """

    own_query_params = ()

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        is_allowed = hasattr(self, request.method.lower())  # otherwise it will be a 405
        if request.META["QUERY_STRING"] and is_allowed and request.method != "OPTIONS":
            check_query_params(request.query_params, *self.get_query_param_names())
        if request.method == "DELETE" and is_allowed:
            reject_fields(request.data)

    def get_query_param_names(self):
        """Return the names of known parameters, and of those that take several values."""
        paginator = getattr(self, "paginator", None)
        if paginator is None or getattr(self, "action", "list") != "list":
            return [], []
        filters = getattr(getattr(self, "filterset_class", None), "base_filters", {})
        names = [*self.own_query_params, *filters, paginator.page_size_query_param]
        names.append(getattr(paginator, "page_query_param", None) or paginator.cursor_query_param)
        if any(issubclass(backend, SearchFilter) for backend in self.filter_backends):
            names.append(SearchFilter.search_param)
        return names, [name for name in filters if isinstance(filters[name], BaseCSVFilter)]


def check_query_params(params, names, multiple=(), formats=("json",)):
    """Raise a 400 that names each parameter that is unknown, or repeated and not `multiple`."""
    errors = []
    for name, values in params.lists():
        code = message = None
        if name == "format":
            if len(values) > 1 or values[0] not in formats:
                code, message = "invalid", f"Must be {' or '.join(formats)}."
        elif name not in names:
            code = "unknown_parameter"
            message = describe_unknown_name("parameter", name, names)
        elif len(values) > 1 and name not in multiple:
            code, message = "repeated", "Send it once: it takes one value."
        if code:
            errors.append({"parameter": name, "code": code, "detail": message})
    if errors:
        raise ProblemException("validation_error", errors=errors[:MAX_ERRORS])
