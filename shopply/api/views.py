"""Views outside the apps: error handlers, problem pages and the OpenAPI document."""

import sys
import threading
from functools import cache
from typing import ClassVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import SAFE_METHODS

from shopply.api.exceptions import RETRY_AFTER, log_conflict, log_outage, problem_response
from shopply.api.problem_types import PROBLEM_TYPES
from shopply.api.query_params import check_query_params

PAGE_METHODS = "GET, HEAD, OPTIONS"


def problem_or_page(code, page):
    """Return an error handler: the problem `code` under /api/, the `page` elsewhere."""

    def handler(request, *args, **kwargs):
        if request.path.startswith("/api/"):
            return problem_response(request, code)
        return page(request, *args, **kwargs)

    return handler


def error_page(status):
    """Return the view of an error's page. Django's own read the body, which may be an upload."""

    def page(request, exception=None):
        return HttpResponse(render_to_string(f"{status}.html"), status=status)

    return page


def server_error_page(request):
    exc = sys.exc_info()[1]
    if log_outage(request, exc):
        response = error_page(503)(request)
        response["Retry-After"] = RETRY_AFTER
    elif isinstance(exc, IntegrityError | ObjectDoesNotExist):
        log_conflict(request, exc)
        response = error_page(409)(request)
    else:
        return error_page(500)(request)
    response._has_been_logged = True  # otherwise Django logs it too
    return response


handler400 = problem_or_page("bad_request", error_page(400))
handler403 = problem_or_page("permission_denied", error_page(403))
handler404 = problem_or_page("not_found", error_page(404))
handler500 = problem_or_page("internal_error", server_error_page)


@csrf_exempt
def unknown_path(request, path):
    """Respond to any other path under /api/: in debug Django would send a page of its own."""
    return problem_response(request, "not_found", f"There is nothing at {request.path}.")


def safe_methods_only(view):
    """Decorate a page under /api/, where a 405 is a problem too."""

    @csrf_exempt
    def wrapper(request, **kwargs):
        if request.method not in SAFE_METHODS:
            response = problem_response(request, "method_not_allowed")
            response["Allow"] = PAGE_METHODS
            return response
        if request.method == "OPTIONS":
            return HttpResponse(headers={"Allow": PAGE_METHODS})
        return view(request, **kwargs)

    return wrapper


@safe_methods_only
def problem_detail(request, code):
    if code not in PROBLEM_TYPES:
        raise Http404
    return render(request, "problem.html", {"code": code, "problem": PROBLEM_TYPES[code]})


@safe_methods_only
def problem_list(request):
    return render(request, "problems.html", {"problems": PROBLEM_TYPES})


class EmptyOptionsMixin:
    """Responds to OPTIONS with `Allow` and no body, which the renderers of these pages need."""

    def options(self, request):
        return HttpResponse()


class DocsView(EmptyOptionsMixin, SpectacularSwaggerSplitView):
    """Swagger UI."""


class SchemaView(EmptyOptionsMixin, SpectacularAPIView):
    """Renders the document once per process and format: it takes as long as a hundred requests.

    The `format` parameter goes before the Accept header. `lang` and `version` change nothing, since
    there is one language and one version.
    """

    FORMATS: ClassVar = {"json": OpenApiJsonRenderer, "yaml": OpenApiYamlRenderer}

    @extend_schema(exclude=True)
    def get(self, request):
        check_query_params(request.query_params, ["lang", "version"], formats=[*self.FORMATS])
        renderer = request.accepted_renderer
        if "format" in request.query_params:
            renderer = self.FORMATS[request.query_params["format"]]()
        filename = f"shopply.{renderer.format}"
        headers = {
            "Content-Disposition": f'inline; filename="{filename}"',
            "Cache-Control": "no-cache",
        }
        with rendering:
            content = render_schema(type(renderer))
        return HttpResponse(content, renderer.media_type, headers=headers)


rendering = threading.Lock()  # drf-spectacular is not thread-safe


@cache
def render_schema(renderer_class):
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return renderer_class().render(schema, renderer_context={})
