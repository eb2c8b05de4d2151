"""What the server tells of itself in production, as lines of JSON.

Of each request one on stdout, without anything that the caller wrote: no path, query, header or
body. Other records go to stderr. Both have the request's id.
"""

import json
import logging
import os
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from time import perf_counter

import orjson
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.utils.functional import LazyObject

STDOUT = 1

request_id = ContextVar("request_id", default=None)


class Lines(logging.Formatter):
    """A record as a line of JSON."""

    def format(self, record):
        line = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "level": record.levelname.lower(),
            "request_id": request_id.get(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class OfCallers(logging.Filter):
    """What any caller can bring about is a warning, in a line: to Django it is an error."""

    def filter(self, record):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
        return True


def requests(get_response):
    """Write a line of each request; in debug `runserver` has its own."""
    if settings.DEBUG:
        raise MiddlewareNotUsed

    def middleware(request):
        began = perf_counter()
        response = get_response(request)
        with suppress(OSError):  # a full disk behind stdout is no reason to fail
            os.write(STDOUT, line(request, response, perf_counter() - began))
        response._has_been_logged = True  # else Django writes one more if it is an error
        return response

    return middleware


def line(request, response, seconds):
    told = {
        "time": datetime.now(UTC),
        "level": "error" if response.status_code >= 500 else "info",
        "request_id": request.id,
        "method": request.method,
        "route": route_of(request),
        "status": response.status_code,
        "duration_ms": round(1000 * seconds, 3),
        "user": caller(request),
    }
    return orjson.dumps(told, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def route_of(request):
    """The pattern of the path, without ids; None where there is none."""
    match = request.resolver_match
    return f"/{match.route}" if match else None


def caller(request):
    """The id of who was found to be asking; nobody is looked up for the log."""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject):
        user = request.__dict__.get("_cached_user")
    return user and user.pk
