"""What is done to every request before a view sees it."""

import re
from secrets import token_hex

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponseNotAllowed
from rest_framework.throttling import BaseThrottle

from shopply import logging_config
from shopply.api import problems

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(get_response):
    """Give the request an id, the caller's `X-Request-ID` if that is sane, and answer with it."""

    def middleware(request):
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request.id = given if SANE_ID.fullmatch(given) else token_hex(16)
        logging_config.request_id.set(request.id)
        response = get_response(request)
        response["X-Request-ID"] = request.id
        logging_config.request_id.set(None)
        return response

    return middleware


def method_kept(get_response):
    """Have a redirect for good be a 308 where a 301 would have many clients come with GET then."""

    def middleware(request):
        response = get_response(request)
        if response.status_code == 301 and request.method not in ("GET", "HEAD"):
            response.status_code = 308
        return response

    return middleware


def client_address(get_response):
    """Have REMOTE_ADDR be the client's, where NUM_PROXIES of ours stand in between and tell it."""

    def middleware(request):
        if "HTTP_X_FORWARDED_FOR" in request.META:
            request.META["REMOTE_ADDR"] = BaseThrottle().get_ident(request)
        return get_response(request)

    return middleware


CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # icons in Swagger UI's style sheet
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def content_security_policy(get_response):
    """Allow the pages what this server itself serves, and nothing written into them."""

    def middleware(request):
        response = get_response(request)
        if not (settings.DEBUG and response.status_code >= 400):  # Django's debug pages
            response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return middleware


def no_nul(get_response):
    """Refuse a NUL wherever one can be written in ASCII: PostgreSQL can neither keep nor find it.

    JSON and Basic log-ins are read later; serializers and authentication see to them.
    """

    def middleware(request):
        if "\0" in request.path:
            return problems.handler404(request, Http404())
        for where, name, text in written(request):
            if "\0" in text:
                return refused(request, where, name)
        return get_response(request)

    return middleware


def written(request):
    """The texts that may stand for others in cookies, query and form: where, its name, the text."""
    for name, value in request.COOKIES.items():
        yield "header", "Cookie", name + value
    if request.META["QUERY_STRING"]:
        for name, values in request.GET.lists():
            yield "parameter", name, "".join((name, *values))
    if not request.path.startswith("/api/"):
        for name, values in request.POST.lists():
            yield "field", name, "".join((name, *values))


def refused(request, where, name):
    if not request.path.startswith("/api/"):
        return problems.handler400(request, BadRequest())
    detail = "Null characters are not allowed."
    error = {where: name, "code": "null_characters_not_allowed", "detail": detail}
    return problems.answer(request, "bad_request", f"{name}: {detail}", errors=[error])


def methods_of_pages(get_response):
    """Refuse outside of the API what no page is asked by: the admin would take TRACE for GET."""

    def middleware(request):
        known = ("GET", "HEAD", "OPTIONS", "POST")
        if request.method not in known and not request.path.startswith("/api/"):
            return HttpResponseNotAllowed(known)
        return get_response(request)

    return middleware


def optional_slash(get_response):
    """Serve `/api/orders` as `/api/orders/`: a redirect would lose the body of a POST."""

    def middleware(request):
        if f"{request.path_info}/".startswith("/api/") and not request.path_info.endswith("/"):
            request.path_info += "/"
            request.path += "/"
        return get_response(request)

    return middleware
