"""What a client is told whose request never gets as far as Django, or whose answer fails there."""

import json

from django.core.exceptions import RequestDataTooBig
from gunicorn import util
from gunicorn.http import errors

from shopply.api.problem_types import MEDIA_TYPE, PROBLEM_TYPES, problem_document


class TooLate(Exception):
    """The rest of a request did not come."""


def problem_of(exc):
    """What kept the worker from answering: the code of a problem, and its detail or None."""
    match exc:
        case errors.LimitRequestLine():
            return "uri_too_long", str(exc)
        case errors.LimitRequestHeaders():
            return "headers_too_large", None
        case errors.ExpectationFailed():
            return "expectation_failed", None
        case errors.ParseException():
            return "bad_request", str(exc)
        case errors.NoMoreData():  # from a body, whose chunks end where they should not
            return "bad_request", None
        case RequestDataTooBig():
            return "request_too_large", str(exc)
        case TooLate():
            return "request_timeout", None
    return "internal_error", None


def refusal(code, detail, request_id):
    """The answer, as it goes to the client."""
    url = f"/api/problems/{code}/"
    body = json.dumps(problem_document(code, url, request_id, detail))
    head = (
        f"HTTP/1.1 {PROBLEM_TYPES[code].status} {PROBLEM_TYPES[code].title}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        f"Content-Type: {MEDIA_TYPE}",
        f"Date: {util.http_date()}",
        "X-Content-Type-Options: nosniff",
        f"X-Request-ID: {request_id}",
    )
    return "\r\n".join((*head, "", body)).encode()
