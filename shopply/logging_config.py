"""Logging: lines of JSON in production, each with the id of its request.

Each request is one line on stdout, without anything from the client: no path, query, header or
body. Other records go to stderr. In debug the lines are plain text, and `runserver` logs requests.
"""

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
from pythonjsonlogger.core import RESERVED_ATTRS

STDOUT = 1

request_id = ContextVar("request_id", default=None)


class AddRequestContext(logging.Filter):
    """Adds the id of the request, and the level in lower case."""

    def filter(self, record):
        record.request_id = request_id.get()
        record.level = record.levelname.lower()
        return True


class DowngradeSuspiciousOperations(logging.Filter):
    """Turns problems that any client can trigger, errors to Django, into one-line warnings.

    Removes the exception and its message, which quote the request.
    """

    def filter(self, record):
        rejected = record.name == "django.request" and getattr(record, "status_code", 500) < 500
        if rejected or record.name.startswith("django.security."):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args = f"Request rejected: {record.name}", ()
            record.exc_info = None
        return True


def get_loggable_path(request):
    """Return the path; or its pattern, if it has the token of a link in a mail."""
    match = request.resolver_match
    return get_route(request) if match and "token" in match.kwargs else request.path


class HideTokens(logging.Filter):
    """Replaces the path in Django's messages, such as `Internal Server Error: /reset/...`."""

    def filter(self, record):
        request = getattr(record, "request", None)
        if request:
            paths = {request.path: get_loggable_path(request)}
            record.args = tuple(paths.get(arg, arg) for arg in record.args)
        return True


class TaskFailed(Exception):
    """Instead of the exception of a task, in logs: the message is the name of its class."""


class HideTaskMessages(logging.Filter):
    """Removes messages of exceptions: those of mail servers name recipients. The admin has them."""

    def filter(self, record):
        cause, _, traceback = record.exc_info or (None, None, None)
        if cause:
            failure = TaskFailed(cause.__name__).with_traceback(traceback)
            record.exc_info = TaskFailed, failure, traceback
        return True


# `time` and these attributes of a record, in order.
JSON_FORMATTER = {
    "()": "pythonjsonlogger.orjson.OrjsonFormatter",
    "fmt": ["time", "level", "request_id", "name", "message"],
    "timestamp": "time",
    "rename_fields": {"name": "logger", "exc_info": "exception"},
    # Not the request, which Django's records have, with its query.
    "reserved_attrs": [*RESERVED_ATTRS, "request", "status_code"],
}


def logging_config(debug):
    """Return the setting LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {}, "json": JSON_FORMATTER},
        "filters": {
            "request_context": {"()": AddRequestContext},
            "suspicious": {"()": DowngradeSuspiciousOperations},
            "tokens": {"()": HideTokens},
            "task_messages": {"()": HideTaskMessages},
            "failure": {
                "()": "django.utils.log.CallbackFilter",
                "callback": lambda record: record.exc_info,
            },
        },
        "handlers": {
            # In production too, where Django by itself would not log failures.
            "console": {
                "class": "logging.StreamHandler",
                "filters": ["suspicious", "request_context"],
                "formatter": "plain" if debug else "json",
            },
        },
        "loggers": {
            "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # Exceptions only: the line of each request has its status.
            "django.request": {"filters": ["failure", "tokens"]},
            "django_tasks": {"filters": ["task_messages"]},
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
    }


def log_requests(get_response):
    """Return middleware that writes a line for each request."""
    if settings.DEBUG:
        raise MiddlewareNotUsed

    def middleware(request):
        started = perf_counter()
        response = get_response(request)
        line = {
            "time": datetime.now(UTC),
            "level": "error" if response.status_code >= 500 else "info",
            "request_id": request_id.get(),
            "method": request.method,
            "route": get_route(request),
            "status": response.status_code,
            "duration_ms": round(1000 * (perf_counter() - started), 3),
            "user": user_id(request),
        }
        # A logger would take 17 % of the row "product list, 5".
        with suppress(OSError):  # a full disk must not fail requests
            os.write(STDOUT, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        return response

    return middleware


def get_route(request):
    """Return the pattern of the path, without ids; None without a match."""
    match = request.resolver_match
    return f"/{match.route}" if match else None


def user_id(request):
    """Return the id of the authenticated user, if the request has looked it up; else None."""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject):
        user = request.__dict__.get("_cached_user")
    return user and user.pk
