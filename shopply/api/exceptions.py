"""Errors of views as `application/problem+json` (RFC 9457).

Views raise ProblemException, or exceptions of DRF and Django; `exception_handler` turns each into a
problem of the registry.
"""

import logging

from django import db
from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.core.signals import got_request_exception
from django.http import Http404, JsonResponse
from django.urls import reverse
from prometheus_client import Counter
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings

from shopply import database_status
from shopply.api.problem_types import MEDIA_TYPE, PROBLEM_TYPES, problem_document
from shopply.api.renderers import JSONRenderer
from shopply.logging_config import get_loggable_path

RETRY_AFTER = 1  # seconds
TOO_MANY_FIELDS = (
    f"A query or a form has at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} parameters."
)
# Errors of PostgreSQL after which a new connection helps: a migration invalidated prepared
# statements, or the primary was demoted.
STALE_SQLSTATES = {"0A000", "25006"}

logger = logging.getLogger(__name__)
database_errors = Counter("shopply_database_errors", "Requests that the database failed.")


class ProblemException(exceptions.APIException):
    """The problem `code` of PROBLEM_TYPES, which has the status and the default detail.

    `wait`, in seconds, is sent as Retry-After; `members` (such as `errors`) are added to the
    problem document.
    """

    def __init__(self, code, detail=None, *, wait=None, **members):
        if detail is None and code == "validation_error":
            detail = summarize(members["errors"])
        super().__init__(detail or PROBLEM_TYPES[code].meaning, code)
        self.status_code = PROBLEM_TYPES[code].status
        self.wait = wait
        self.members = members


def header_error(name, code, detail):
    """Return the problem of an invalid request header."""
    return ProblemException(
        "validation_error", errors=[{"header": name, "code": code, "detail": detail}]
    )


def exception_handler(exc, context):
    """Return the problem for any exception of a view (REST_FRAMEWORK["EXCEPTION_HANDLER"])."""
    from rest_framework import views  # here: it imports what REST_FRAMEWORK names, also this module

    request = context["request"]
    exc = to_api_exception(exc, request)
    response = views.exception_handler(exc, context)
    if response is None:
        logger.exception("%s failed", describe(request))
        got_request_exception.send(sender=None, request=request)
        views.set_rollback()
        response = Response(problem_data(request, "internal_error"), status=500)
    elif isinstance(exc, exceptions.ValidationError):
        location = "parameter" if request.method in SAFE_METHODS else "pointer"
        errors = [*flatten_errors(exc.detail, location)]
        response.data = problem_data(request, "validation_error", summarize(errors), errors=errors)
    else:
        members = getattr(exc, "members", {})
        response.data = problem_data(request, exc.get_codes(), exc.detail, **members)
    # Even of a view with another renderer, such as the YAML of the schema.
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    response.content_type = MEDIA_TYPE
    return response


def to_api_exception(exc, request):
    """Return the DRF exception for `exc`; `exc` itself if it is one, or an internal error."""
    match exc:
        case Http404() | ObjectDoesNotExist():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case exceptions.NotAuthenticated():
            hint = PROBLEM_TYPES[exc.default_code].hint
            exc.detail = exceptions.ErrorDetail(hint, exc.default_code)
        case RequestDataTooBig():
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return ProblemException(
                "request_too_large", f"A request body has at most {limit:,} bytes, and no files."
            )
        case TooManyFieldsSent():
            return ProblemException("bad_request", TOO_MANY_FIELDS)
        case SuspiciousOperation():
            return ProblemException("bad_request")
        case exceptions.UnsupportedMediaType():
            hint = PROBLEM_TYPES[exc.default_code].hint
            exc.detail = exceptions.ErrorDetail(f"{exc.detail} {hint}", exc.default_code)
        case db.Error() if outage := log_outage(request, exc):
            return ProblemException("service_unavailable", outage, wait=RETRY_AFTER)
        case db.IntegrityError():
            log_conflict(request, exc)
            return ProblemException("conflict")
    return exc


def log_conflict(request, exc):
    """Log a conflict with a row that was written or deleted in the meantime.

    Logs the first line of the database's message, which names the constraint; others have values.
    """
    reason = str(exc).partition("\n")[0]
    logger.warning("%s conflicted with another request: %s", describe(request), reason)


def log_outage(request, exc):
    """Log and return why the database cannot serve, if that caused `exc`; else None."""
    match exc:
        case db.DatabaseError() if database_status.is_schema_error(exc):
            # Otherwise our SQL is wrong: an internal error.
            outage = is_schema_outdated() and database_status.MIGRATIONS_PENDING.message
        case db.DatabaseError() if getattr(exc.__cause__, "sqlstate", None) in STALE_SQLSTATES:
            db.connection.close()
            outage = PROBLEM_TYPES["service_unavailable"].meaning
        case db.OperationalError() | db.InterfaceError():
            outage = PROBLEM_TYPES["service_unavailable"].meaning
        case _:
            return None
    if outage:
        database_errors.inc()
        logger.error("%s: %s", describe(request), outage, exc_info=exc)
    return outage


def is_schema_outdated():
    """Return whether migrations are pending; False if the database does not respond to that."""
    try:
        return database_status.has_pending_migrations(db.connection)
    except db.Error:
        return False


def describe(request):
    """Return the request as the log names it."""
    return f"{request.method} {get_loggable_path(request)} (request {request.id})"


def problem_data(request, code, detail=None, **members):
    """Return the problem document of this request; `members` (such as `errors`) are added."""
    path = reverse("problem", args=[code])
    try:
        url = request.build_absolute_uri(path)
    except DisallowedHost:
        url = path
    return problem_document(code, url, request.id, detail, **members)


def problem_response(request, code, detail=None, **members):
    """Return the problem as a response from outside a DRF view."""
    data = problem_data(request, code, detail, **members)
    return JsonResponse(data, status=data["status"], content_type=MEDIA_TYPE)


def flatten_errors(detail, location, pointer=""):
    """Yield DRF's nested errors as entries with their `location`, `pointer` or `parameter`."""
    if isinstance(detail, exceptions.ErrorDetail):
        place = pointer[1:] if location == "parameter" else pointer
        yield {location: place, "code": detail.code or "invalid", "detail": str(detail)}
        return
    pairs = detail.items() if isinstance(detail, dict) else enumerate(detail)
    for key, value in pairs:
        is_general = key == api_settings.NON_FIELD_ERRORS_KEY
        is_leaf = isinstance(detail, list) and isinstance(value, exceptions.ErrorDetail)
        step = "" if is_general or is_leaf else f"/{escape_pointer(str(key))}"
        yield from flatten_errors(value, location, pointer + step)


def escape_pointer(name):
    """Return a member's name as a part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def summarize(errors):
    """Return the first error as a sentence, with the number of those that are listed."""
    first = errors[0]
    place = first.get("pointer") or first.get("parameter") or first.get("header")
    sentence = f"{place}: {first['detail']}" if place else first["detail"]
    return sentence if len(errors) == 1 else f"{sentence} ({len(errors)} errors are listed.)"
