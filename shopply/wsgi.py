"""The WSGI application: Django's, with three fixes of requests and threads."""

import io
import os
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")

django = get_wsgi_application()


def application(environ, start_response):
    """Call Django with an environ on which it does not fail."""
    thread_cleanup.close  # noqa: B018  created by the first request of a thread
    remove_charset(environ)
    if environ["SERVER_PROTOCOL"] == "HTTP/1.1":
        environ.setdefault("HTTP_HOST", "")  # a 400: Django would assume the server's name
    read_chunked_body(environ)
    return django(environ, start_response)


def remove_charset(environ):
    """Remove the charset of a Content-Type, which Django looks up before any middleware runs.

    It fails on a name that is not a text encoding, and decoding Punycode takes quadratic time. JSON
    is UTF-8, and so are the forms that browsers post.
    """
    media_type, *parameters = environ.get("CONTENT_TYPE", "").split(";")
    boundary = [
        parameter for parameter in parameters if parameter.strip().lower().startswith("boundary=")
    ]
    environ["CONTENT_TYPE"] = ";".join([media_type, *boundary])


def read_chunked_body(environ):
    """Read a chunked body and set its length: Django treats a body without one as empty.

    Reads just over the limit; Django then rejects the body by its length.
    """
    # Not under runserver, which leaves the end of the chunks to the application.
    if environ.get("wsgi.input_terminated") and "HTTP_TRANSFER_ENCODING" in environ:
        body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))


class CloseConnection:
    """Closes the database connection of a thread when it is deleted."""

    def __init__(self):
        self.connection = connections["default"]

    def __del__(self):
        self.connection.close()


class ThreadCleanup(threading.local):
    """Closes the connections of idle threads that granian ends, before they are collected."""

    def __init__(self):
        self.close = CloseConnection()


thread_cleanup = ThreadCleanup()
