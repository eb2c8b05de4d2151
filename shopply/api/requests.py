"""What is done to every request before a view sees it."""

import re
import uuid

from rest_framework.throttling import BaseThrottle

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(get_response):
    """Give the request an id, the caller's `X-Request-ID` if that is sane, and answer with it."""

    def middleware(request):
        given = request.headers.get("X-Request-ID", "")
        request.id = given if SANE_ID.fullmatch(given) else uuid.uuid4().hex
        response = get_response(request)
        response["X-Request-ID"] = request.id
        return response

    return middleware


def client_address(get_response):
    """Have REMOTE_ADDR be the client's, where NUM_PROXIES of ours stand in between and tell it."""

    def middleware(request):
        request.META["REMOTE_ADDR"] = BaseThrottle().get_ident(request)
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
