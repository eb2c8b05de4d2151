"""Middleware for every request, of the API and of the pages."""

import logging
import re
from secrets import token_hex
from urllib.parse import unquote_to_bytes, urlsplit

from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.core.exceptions import BadRequest, RequestDataTooBig, TooManyFieldsSent
from django.core.files.storage import default_storage
from django.core.files.uploadhandler import FileUploadHandler
from django.http import Http404, HttpResponseNotAllowed
from django.middleware import common
from django.utils import timezone, translation
from django.utils.deprecation import MiddlewareMixin
from rest_framework.throttling import BaseThrottle

from shopply import logging_config
from shopply.api import views
from shopply.api.exceptions import TOO_MANY_FIELDS, problem_response, summarize

VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Some proxies add the port: 192.0.2.1:4711, [2001:db8::1]:4711 or [2001:db8::1].
ADDRESS_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+|\[([0-9a-fA-F:.]+)\](?::[0-9]+)?")
BODY_TYPES = {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}
PROBES = {"/healthz", "/readyz", "/metrics"}
PAGE_METHODS = ("GET", "HEAD", "OPTIONS", "POST")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # icons in Swagger UI's style sheet
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

security_logger = logging.getLogger("django.security.TooManyFieldsSent")


class RequestIDMiddleware(MiddlewareMixin):
    """Gives each request an id (the client's `X-Request-ID`, if valid), and returns it."""

    def process_request(self, request):
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        request.id = sent if VALID_REQUEST_ID.fullmatch(sent) else token_hex(16)
        logging_config.request_id.set(request.id)

    def process_response(self, request, response):
        response["X-Request-ID"] = request.id
        logging_config.request_id.set(None)
        return response


class RealIPMiddleware(MiddlewareMixin):
    """Sets REMOTE_ADDR to the client's address, as the last NUM_PROXIES proxies forwarded it."""

    def process_request(self, request):
        if "HTTP_X_FORWARDED_FOR" in request.META:
            address = BaseThrottle().get_ident(request)
            with_port = ADDRESS_WITH_PORT.fullmatch(address)
            request.META["REMOTE_ADDR"] = with_port[1] or with_port[2] if with_port else address


class PreserveMethodOnRedirect(MiddlewareMixin):
    """Replaces 301 by 308: many clients follow a 301 of a POST with a GET."""

    def process_response(self, request, response):
        if response.status_code == 301 and request.method not in ("GET", "HEAD"):
            response.status_code = 308
        return response


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """Allows pages only the scripts and styles that this server serves, and no inline ones.

    And the pictures of a bucket, if there is one. Pictures have a policy of their own.
    """

    def __init__(self, get_response):
        super().__init__(get_response)
        bucket = urlsplit(default_storage.url("name"))
        origin = f" {bucket.scheme}://{bucket.netloc}" if bucket.netloc else ""
        self.policy = CONTENT_SECURITY_POLICY.replace("data:", f"data:{origin}")

    def process_response(self, request, response):
        if not (settings.DEBUG and response.status_code >= 400):  # Django's debug pages
            response.setdefault("Content-Security-Policy", self.policy)
        return response


class NoStoreMiddleware(MiddlewareMixin):
    """Sends `no-store` with responses of the API that do not say how to cache them."""

    def process_response(self, request, response):
        if request.path.startswith("/api/"):
            response.setdefault("Cache-Control", "no-store")
        return response


class AppendSlashMiddleware(MiddlewareMixin):
    """Serves `/api/orders` as `/api/orders/`: a redirect would lose the body of a POST."""

    def process_request(self, request):
        if f"{request.path_info}/".startswith("/api/") and not request.path_info.endswith("/"):
            request.path_info += "/"
            request.path += "/"


class RestrictPageMethods(MiddlewareMixin):
    """Rejects methods that no page outside the API supports: the admin treats TRACE as GET."""

    def process_request(self, request):
        if request.method not in PAGE_METHODS and not request.path.startswith("/api/"):
            return HttpResponseNotAllowed(PAGE_METHODS)
        return None


class CheckBodyMiddleware(MiddlewareMixin):
    """Rejects bodies that would not be read.

    Those are JSON and forms without a length, and in the API what is compressed.
    """

    def process_request(self, request):
        length = request.META.get("CONTENT_LENGTH")
        has_body = request.method in ("POST", "PUT", "PATCH") and request.content_type in BODY_TYPES
        if has_body and not length:
            return problem_response(request, "length_required")
        encoding = request.META.get("HTTP_CONTENT_ENCODING", "")
        if encoding.lower() not in ("", "identity") and request.path.startswith("/api/"):
            detail = (
                f"Content-Encoding: the server reads no {encoding[:20]}. Send the body as it is."
            )
            return problem_response(request, "unsupported_media_type", detail)
        return None


class RejectInvalidText(MiddlewareMixin):
    """Rejects null characters in path, query, cookies and forms: PostgreSQL has no such text.

    Serializers and authentication reject them in JSON and in Basic log-ins. Also rejects queries
    that are not UTF-8, and queries and forms with so many fields that Django fails on them.
    """

    def process_request(self, request):
        if "\0" in request.path:
            return views.handler404(request, Http404())
        return self.check(request, self.get_texts(request))

    def process_view(self, request, view, args, kwargs):
        """Check the form, unless the view reads it first, as that of an upload does."""
        if getattr(view, "csrf_exempt", False):
            return None
        return self.check(request, self.get_fields(request))

    def check(self, request, texts):
        try:
            for location, name, values in texts:
                if any("\0" in value for value in values):
                    detail = "Null characters are not allowed."
                    error = {"code": "null_characters_not_allowed", "detail": detail}
                    return self.reject(request, "bad_request", location, name, error)
                # Django reads this character in place of what is not UTF-8.
                is_suspect = location == "parameter" and any("\ufffd" in value for value in values)
                if is_suspect and not is_utf8(request.META["QUERY_STRING"]):
                    error = {"code": "invalid", "detail": "Must be UTF-8."}
                    return self.reject(request, "validation_error", location, name, error)
        except TooManyFieldsSent as exc:
            security_logger.error(str(exc))  # as Django does
            return self.respond(request, "bad_request", TOO_MANY_FIELDS)
        return None

    def get_texts(self, request):
        """Yield `(location, name, texts)` of each cookie and query parameter."""
        for name, value in request.COOKIES.items():
            yield "header", "Cookie", (name, value)
        if request.META["QUERY_STRING"]:
            for name, values in request.GET.lists():
                yield "parameter", name, (name, *values)

    def get_fields(self, request):
        for name, values in request.POST.lists():
            yield "field", name, (name, *values)

    def reject(self, request, code, location, name, error):
        errors = [{location: name} | error]
        return self.respond(request, code, summarize(errors), errors=errors)

    def respond(self, request, code, detail, **members):
        if not request.path.startswith("/api/"):
            return views.handler400(request, BadRequest())
        return problem_response(request, code, detail, **members)


def is_utf8(query):
    """Return whether a query string, with a character for each byte as WSGI has it, is UTF-8."""
    try:
        unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeDecodeError:
        return False
    return True


class CommonMiddleware(common.CommonMiddleware):
    """Django's, except that probes can have any Host, since they use addresses."""

    def process_request(self, request):
        return None if request.path_info in PROBES else super().process_request(request)


class SkipForAPIMixin:
    """For middleware that the API does not need: it has no sessions, browser log-ins or messages.

    Saves a tenth of the row "product list, 5".
    """

    def __call__(self, request):
        if request.path.startswith("/api/"):
            return self.get_response(request)
        return super().__call__(request)


class SessionMiddleware(SkipForAPIMixin, sessions.SessionMiddleware):
    pass


class AuthenticationMiddleware(SkipForAPIMixin, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(SkipForAPIMixin, messages.MessageMiddleware):
    pass


def localize_admin(get_response):
    """Return middleware that gives the admin the time zone and the language of the shop.

    So do the pages to which links in mails lead. Everything else is in UTC and in English: clients
    of the API read it.
    """

    def middleware(request):
        if not request.path.startswith(("/admin/", "/reset/", "/confirm-email/")):
            return get_response(request)
        zone, language = settings.SHOP_TIME_ZONE, settings.SHOP_LANGUAGE
        with timezone.override(zone), translation.override(language):
            return get_response(request)

    return middleware


class RejectUploads(FileUploadHandler):
    """Rejects uploads: Django would write them to disk before any view runs.

    The views that import products or take pictures replace it.
    """

    def new_file(self, *args, **kwargs):
        raise RequestDataTooBig("There are no uploads.")
