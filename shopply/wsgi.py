"""What a WSGI server runs: Django, for requests and threads as it understands them."""

import io
import os
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")

django = get_wsgi_application()


def application(environ, start_response):
    """Django, once what it would fail at is put right."""
    at_end_of_thread.close  # noqa: B018  which the first request of a thread makes
    without_charset(environ)
    if environ["SERVER_PROTOCOL"] == "HTTP/1.1":
        environ.setdefault("HTTP_HOST", "")  # a 400, where Django would take the server's own name
    with_length(environ)
    return django(environ, start_response)


def without_charset(environ):
    """Remove the charset of a Content-Type: Django looks it up before any middleware runs.

    A name that is no text encoding is a failure, and decoding Punycode takes quadratic time. JSON
    is UTF-8, and browsers post the admin's forms in it.
    """
    media_type, *parameters = environ.get("CONTENT_TYPE", "").split(";")
    boundary = [each for each in parameters if each.strip().lower().startswith("boundary=")]
    environ["CONTENT_TYPE"] = ";".join([media_type, *boundary])


def with_length(environ):
    """Read a body that comes in chunks: Django takes a body without a length for an empty one.

    A body over the limit is read no further; Django then refuses it by its length.
    """
    # runserver leaves it to the application to see where the chunks end.
    if environ.get("wsgi.input_terminated") and "HTTP_TRANSFER_ENCODING" in environ:
        body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))


class Close:
    """Closes the database connection of a thread when it is deleted."""

    def __init__(self):
        self.connection = connections["default"]

    def __del__(self):
        self.connection.close()


class AtEndOfThread(threading.local):
    """granian ends idle threads, whose connections would stay open until they are collected."""

    def __init__(self):
        self.close = Close()


at_end_of_thread = AtEndOfThread()
