"""Every error as `application/problem+json` (RFC 9457), and the list of their codes.

Views and parsers raise DRF's exceptions; a code of this list as `default_code` chooses the problem,
and an attribute `errors` (a list of `{pointer, code, detail}`) lands in the document as it is.
"""

import logging
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import IntegrityError
from django.http import Http404, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, views
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings

logger = logging.getLogger("django.request")

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    status: int
    title: str
    meaning: str
    remedy: str


PROBLEMS = {
    "validation_error": Problem(
        400,
        "Not valid",
        "A field of the body, or a query parameter, is missing or has a value it cannot have.",
        "Each entry of errors says what is wrong and where: pointer is a JSON pointer into "
        "the body, parameter the name of a query parameter. Correct them and send again.",
    ),
    "parse_error": Problem(
        400,
        "Not JSON",
        "The body could not be read as JSON.",
        "Send UTF-8 JSON; detail says where reading stopped. NaN and Infinity are not JSON.",
    ),
    "bad_request": Problem(
        400,
        "Bad request",
        "The request was refused before it was read, for example because of its Host header.",
        "Address the server by a name it is configured for.",
    ),
    "not_authenticated": Problem(
        401,
        "Not logged in",
        "This needs to know who you are, and the request does not say.",
        "Send Authorization: Token <TOKEN>; POST /api/obtain-token/ gives you a token.",
    ),
    "authentication_failed": Problem(
        401,
        "Log-in refused",
        "The Authorization header is malformed, or the token, name or password in it is wrong, "
        "or the account is closed.",
        "Correct the header, obtain a new token, or leave the header out where none is needed.",
    ),
    "permission_denied": Problem(
        403,
        "Not allowed",
        "You are logged in, but this is for the shop's staff.",
        "Use an account of the shop's staff.",
    ),
    "not_found": Problem(
        404,
        "Not found",
        "There is nothing here, or nothing that you may see.",
        "Check the path and the id. Other customers' orders and accounts are not found either.",
    ),
    "method_not_allowed": Problem(
        405,
        "Method not allowed",
        "This address does not answer to this method.",
        "The Allow header lists the methods it answers to.",
    ),
    "not_acceptable": Problem(
        406,
        "Not acceptable",
        "The Accept header leaves no form of answer that the shop can give.",
        "Accept application/json.",
    ),
    "conflict": Problem(
        409,
        "Conflict",
        "Another request changed the same thing at the same moment; this one changed nothing.",
        "Read the current state and send the request again.",
    ),
    "out_of_stock": Problem(
        409,
        "Out of stock",
        "The shop cannot supply every line of the order, so nothing was ordered.",
        "Each entry of errors points at a line and says how many are left. "
        "Lower the quantity or drop the line, and order again.",
    ),
    "product_in_use": Problem(
        409,
        "Product was ordered",
        "A product that was ever ordered cannot be deleted: orders are records.",
        "Retire it instead: PATCH it with is_active false.",
    ),
    "request_too_large": Problem(
        413,
        "Request too large",
        "The body is larger than the server reads.",
        "Send a smaller body; detail names the limit.",
    ),
    "unsupported_media_type": Problem(
        415,
        "Unsupported media type",
        "The body is not declared as JSON.",
        "Send Content-Type: application/json.",
    ),
    "internal_error": Problem(
        500,
        "Our mistake",
        "The server failed. The failure was logged under the request_id of the answer.",
        "Try again later; tell the shop the request_id if it happens again.",
    ),
}


def api_exception(code, detail=None):
    exc = exceptions.APIException(detail or PROBLEMS[code].meaning, code)
    exc.status_code = PROBLEMS[code].status
    return exc


def exception_handler(exc, context):
    """What DRF calls with any exception of a view (REST_FRAMEWORK["EXCEPTION_HANDLER"])."""
    request = context["request"]
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        exc = api_exception("request_too_large", f"A request body has at most {limit:,} bytes.")
    elif isinstance(exc, SuspiciousOperation):
        exc = api_exception("bad_request")
    elif isinstance(exc, IntegrityError):
        # A constraint caught what validation could not see: a row written in the meantime.
        logger.warning("%s %s met a constraint: %s", request.method, request.path, exc)
        exc = api_exception("conflict")
    response = views.exception_handler(exc, context)
    if response is None:
        logger.exception("%s %s failed", request.method, request.path)
        got_request_exception.send(sender=None, request=request)
        views.set_rollback()
        response = Response(document(request, "internal_error"), status=500)
    elif isinstance(exc, exceptions.ValidationError):
        where = "parameter" if request.method in SAFE_METHODS else "pointer"
        errors = [*flatten(exc.detail, where)]
        response.data = document(request, "validation_error", summary(errors), errors=errors)
    else:
        members = {"errors": exc.errors} if hasattr(exc, "errors") else {}
        response.data = document(request, exc.get_codes(), exc.detail, **members)
    response.content_type = MEDIA_TYPE
    return response


def document(request, code, detail=None, **members):
    """The problem document; `members` are added to it (`errors`)."""
    problem = PROBLEMS[code]
    path = reverse("problem", args=[code])
    try:
        url = request.build_absolute_uri(path)
    except DisallowedHost:
        url = path
    return {
        "type": url,
        "title": problem.title,
        "status": problem.status,
        "code": code,
        "detail": detail or problem.meaning,
        "request_id": request.id,
        **members,
    }


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


def answer(request, code, detail=None):
    return JsonResponse(
        document(request, code, detail), status=PROBLEMS[code].status, content_type=MEDIA_TYPE
    )


def unless_api(code, default):
    """Django's handler of an error, which under /api/ answers with the problem `code` instead."""

    def handler(request, *args, **kwargs):
        if request.path.startswith("/api/"):
            return answer(request, code)
        return default(request, *args, **kwargs)

    return handler


handler400 = unless_api("bad_request", defaults.bad_request)
handler403 = unless_api("permission_denied", defaults.permission_denied)
handler404 = unless_api("not_found", defaults.page_not_found)
handler500 = unless_api("internal_error", defaults.server_error)


@csrf_exempt
def unknown_path(request, path):
    """The last route under /api/: in debug Django would answer with a page of its own."""
    return answer(request, "not_found", f"There is nothing at {request.path}.")


def problem_page(request, code):
    if code not in PROBLEMS:
        raise Http404
    return render(request, "problem.html", {"code": code, "problem": PROBLEMS[code]})


def problem_list(request):
    return render(request, "problems.html", {"problems": PROBLEMS})
