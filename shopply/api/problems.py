"""Every error as `application/problem+json` (RFC 9457).

Views and parsers raise DRF's exceptions; their code, one of PROBLEM_TYPES, chooses the problem,
and an attribute `members` (a dict, with `errors` and the like) is added to the document as it is.
"""

import logging
import sys

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.signals import got_request_exception
from django.db import (
    DatabaseError,
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
)
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, views
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings

from customers.log_ins import TooManyFailures
from shopply import faults
from shopply.api.exceptions import ProblemException
from shopply.api.problem_types import MEDIA_TYPE, PROBLEM_TYPES, problem_document
from shopply.api.rendering import JSONRenderer

RETRY_AFTER = 1  # seconds

logger = logging.getLogger("django.request")


def exception_handler(exc, context):
    """What DRF calls with any exception of a view (REST_FRAMEWORK["EXCEPTION_HANDLER"])."""
    request = context["request"]
    exc = as_api_exception(exc, request)
    response = views.exception_handler(exc, context)
    if response is None:
        logger.exception("%s failed", named(request))
        got_request_exception.send(sender=None, request=request)
        views.set_rollback()
        response = Response(document(request, "internal_error"), status=500)
    elif isinstance(exc, exceptions.ValidationError):
        where = "parameter" if request.method in SAFE_METHODS else "pointer"
        errors = [*flatten(exc.detail, where)]
        response.data = document(request, "validation_error", summary(errors), errors=errors)
    else:
        members = getattr(exc, "members", {})
        response.data = document(request, exc.get_codes(), exc.detail, **members)
    # Whatever the view renders otherwise: the schema is YAML.
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    response.content_type = MEDIA_TYPE
    return response


def as_api_exception(exc, request):
    """The DRF exception that tells of `exc`; `exc` itself if that is one, or a failure of ours."""
    match exc:
        case Http404() | ObjectDoesNotExist():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case TooManyFailures():
            return ProblemException("too_many_failures", str(exc), wait=exc.wait)
        case exceptions.NotAuthenticated():
            exc.detail = exceptions.ErrorDetail(
                PROBLEM_TYPES[exc.default_code].hint, exc.default_code
            )
        case RequestDataTooBig():
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return ProblemException(
                "request_too_large", f"A request body has at most {limit:,} bytes."
            )
        case SuspiciousOperation():
            return ProblemException("bad_request")
        case Error() if outage := outage_of(request, exc):
            return ProblemException("service_unavailable", outage, wait=RETRY_AFTER)
        case IntegrityError():
            log_overtaken(request, exc)
            return ProblemException("conflict")
    return exc


def log_overtaken(request, exc):
    """What nobody could validate: a row that was written or deleted in the meantime."""
    logger.warning("%s was overtaken by another: %s", named(request), exc)


def outage_of(request, exc):
    """Log and return why the database does not serve, if that is what `exc` comes of."""
    match exc:
        case DatabaseError() if faults.was_not_understood(exc):
            outage = is_behind() and faults.BEHIND.what  # else the statement is wrong, our failure
        case OperationalError() | InterfaceError():
            outage = PROBLEM_TYPES["service_unavailable"].meaning
        case _:
            return None
    if outage:
        logger.error("%s: %s", named(request), outage, exc_info=exc)
    return outage


def is_behind():
    try:
        return faults.is_behind(connection)
    except Error:  # nor does it answer this
        return False


def named(request):
    """The request, as the log names it."""
    return f"{request.method} {request.path} (request {request.id})"


def document(request, code, detail=None, **members):
    """The problem document; `members` are added to it (`errors`)."""
    path = reverse("problem", args=[code])
    try:
        url = request.build_absolute_uri(path)
    except DisallowedHost:
        url = path
    return problem_document(code, url, request.id, detail, **members)


def flatten(detail, where, pointer=""):
    """DRF's nested error lists, as entries that each say where (`pointer` or `parameter`)."""
    if isinstance(detail, exceptions.ErrorDetail):
        place = pointer[1:] if where == "parameter" else pointer
        yield {where: place, "code": detail.code or "invalid", "detail": str(detail)}
        return
    pairs = detail.items() if isinstance(detail, dict) else enumerate(detail)
    for key, value in pairs:
        of_the_whole = key == api_settings.NON_FIELD_ERRORS_KEY
        leaf_of_list = isinstance(detail, list) and isinstance(value, exceptions.ErrorDetail)
        step = "" if of_the_whole or leaf_of_list else f"/{escape(str(key))}"
        yield from flatten(value, where, pointer + step)


def escape(key):
    """A member's name as RFC 6901 writes it in a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def summary(errors):
    first = errors[0]
    place = first.get("pointer") or first.get("parameter")
    sentence = f"{place}: {first['detail']}" if place else first["detail"]
    return sentence if len(errors) == 1 else f"{sentence} ({len(errors)} errors in all.)"


# --- Errors outside of any DRF view (wired in urls.py) ------------------------------------------


def answer(request, code, detail=None, **members):
    problem = document(request, code, detail, **members)
    return JsonResponse(problem, status=problem["status"], content_type=MEDIA_TYPE)


def unless_api(code, default):
    """Django's handler of an error, which under /api/ answers with the problem `code` instead."""

    def handler(request, *args, **kwargs):
        if request.path.startswith("/api/"):
            return answer(request, code)
        return default(request, *args, **kwargs)

    return handler


def failed_page(request):
    exc = sys.exc_info()[1]
    if outage_of(request, exc):
        response = HttpResponse(render_to_string("503.html"), status=503)
        response["Retry-After"] = RETRY_AFTER
    elif isinstance(exc, IntegrityError | ObjectDoesNotExist):
        log_overtaken(request, exc)
        response = HttpResponse(render_to_string("409.html"), status=409)
    else:
        return defaults.server_error(request)
    response._has_been_logged = True  # else Django does so as well
    return response


handler400 = unless_api("bad_request", defaults.bad_request)
handler403 = unless_api("permission_denied", defaults.permission_denied)
handler404 = unless_api("not_found", defaults.page_not_found)
handler500 = unless_api("internal_error", failed_page)


@csrf_exempt
def unknown_path(request, path):
    """The last route under /api/: in debug Django would answer with a page of its own."""
    return answer(request, "not_found", f"There is nothing at {request.path}.")


def page(view):
    """A view that shows something, under /api/."""

    @csrf_exempt
    def to_be_read(request, **kwargs):
        if request.method not in SAFE_METHODS:
            response = answer(request, "method_not_allowed")
            response["Allow"] = "GET, HEAD, OPTIONS"
            return response
        return view(request, **kwargs)

    return to_be_read


@page
def problem_page(request, code):
    if code not in PROBLEM_TYPES:
        raise Http404
    return render(request, "problem.html", {"code": code, "problem": PROBLEM_TYPES[code]})


@page
def problem_list(request):
    return render(request, "problems.html", {"problems": PROBLEM_TYPES})
