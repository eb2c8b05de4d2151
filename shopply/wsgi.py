"""What a WSGI server runs: `gunicorn shopply.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")

django = get_wsgi_application()


def application(environ, start_response):
    """Django, without the charset that a request declares.

    Django would look it up before any view: one that is no text encoding is a failure, and decoding
    Punycode takes quadratic time. JSON is UTF-8, and browsers post the admin's forms in it.
    """
    media_type, *parameters = environ.get("CONTENT_TYPE", "").split(";")
    boundary = [each for each in parameters if each.strip().lower().startswith("boundary=")]
    environ["CONTENT_TYPE"] = ";".join([media_type, *boundary])
    return django(environ, start_response)
