"""What a WSGI server runs: `gunicorn shopply.wsgi`."""

import io
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")

if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # Here, since it is for requests: a command, such as a migration, takes the time it takes.
    options = settings.DATABASES["default"]["OPTIONS"]
    # A request that stops in a transaction, its process hanging, gives up its locks as late.
    for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
        options["options"] += f" -c {limit}={settings.STATEMENT_TIMEOUT}s"

django = get_wsgi_application()


def application(environ, start_response):
    """Django, for requests as it understands them."""
    without_charset(environ)
    with_length(environ)
    return django(environ, start_response)


def without_charset(environ):
    """Django would look it up before any view.

    One that is no text encoding is a failure, and decoding Punycode takes quadratic time. JSON is
    UTF-8, and browsers post the admin's forms in it.
    """
    media_type, *parameters = environ.get("CONTENT_TYPE", "").split(";")
    boundary = [each for each in parameters if each.strip().lower().startswith("boundary=")]
    environ["CONTENT_TYPE"] = ";".join([media_type, *boundary])


def with_length(environ):
    """Read a body that comes in chunks: Django takes one without a length for empty.

    One over the limit is read no further; Django then refuses it by its length.
    """
    # Else the server would leave it to us to tell where the chunks end.
    if environ.get("wsgi.input_terminated") and "HTTP_TRANSFER_ENCODING" in environ:
        body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
