"""Conditional requests (RFC 9110): ETags of revision and content, and `If-Match`.

The ETag of a resource with a revision is `"<revision>.<content>"`. `If-None-Match` compares all of
it, `If-Match` the revision alone: what changes the content by itself, as sales do, then keeps
nobody from editing.
"""

import hashlib
import re

from django.utils.deprecation import MiddlewareMixin
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import SAFE_METHODS

from shopply.api.exceptions import ProblemException, header_error, problem_response, summarize

REVALIDATION = [
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="The `ETag` of the response you have. If nothing changed, you get a 304.",
    ),
    OpenApiParameter(
        "ETag",
        str,
        OpenApiParameter.HEADER,
        response=[200, 304],
        description="Identifies this content. Send it as `If-None-Match` the next time, or as "
        "`If-Match` with a change.",
    ),
]
HEADER = "If-Match"
IF_MATCH = OpenApiParameter(
    HEADER,
    {
        "type": "string",
        "pattern": r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$',
    },
    OpenApiParameter.HEADER,
    description="The `ETag` of the response that you are changing. If somebody else changed it "
    "since, you get a 412, and nothing is changed. `*` matches any.",
)
NEW_ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description="Identifies the new content. Send it as `If-Match` with your next change.",
)
# Proxies that compress a response mark its tag as weak, by W/.
ENTITY_TAG = re.compile(r'(?:W/)?"([!#-~\x80-\xff]*)"')
REVISION = re.compile(r"([0-9]{1,18})\.[0-9a-f]{32}")


def make_etag(content, revision=None):
    """Return the ETag of these bytes, with the revision in front if there is one."""
    digest = hashlib.sha256(content).hexdigest()[:32]
    return f'"{digest}"' if revision is None else f'"{revision}.{digest}"'


def matching_revisions(request):
    """Return the revisions that If-Match lists as a set; None if any will do.

    Raises a 400 that names the header.
    """
    header = request.headers.get(HEADER)
    if header is None or header.strip() == "*":
        return None
    tags, separators = ENTITY_TAG.findall(header), ENTITY_TAG.sub("", header)
    if not tags or separators.count(",") < len(tags) - 1 or separators.strip(" \t,"):
        raise header_error(HEADER, "invalid", "Must be ETags in double quotes, or *.")
    return {int(match[1]) for tag in tags if (match := REVISION.fullmatch(tag))}


def precondition_failed():
    """Return the problem of an If-Match without the current revision."""
    detail = "None of these is the current ETag."
    error = {"header": HEADER, "code": "precondition_failed", "detail": detail}
    return ProblemException("precondition_failed", errors=[error])


def not_supported(header=HEADER):
    """Return the problem of a condition with a write that does not compare it."""
    detail = "This request does not compare revisions: send it without this header."
    errors = [{"header": header, "code": "not_supported", "detail": detail}]
    return ProblemException("bad_request", summarize(errors), errors=errors)


class RejectConditions(MiddlewareMixin):
    """Rejects conditions of a write that does not compare them: the client would rely on them.

    No write compares If-None-Match. A view names the methods that compare If-Match in
    `if_match_methods`. (One whose method does so of a single object only raises `not_supported`
    itself.)
    """

    def process_view(self, request, view, args, kwargs):
        view_class = getattr(view, "cls", None)  # of views of the API
        if view_class is None or request.method in SAFE_METHODS:
            return None
        header = self.find_unsupported(request, getattr(view_class, "if_match_methods", ()))
        if header is None:
            return None
        if request.method.lower() not in (getattr(view, "actions", None) or dir(view_class)):
            return None  # and a 405 follows
        problem = not_supported(header)
        return problem_response(request, "bad_request", problem.detail, **problem.members)

    def find_unsupported(self, request, if_match_methods):
        if "HTTP_IF_NONE_MATCH" in request.META:
            return "If-None-Match"
        is_unsupported = request.method not in if_match_methods
        return HEADER if is_unsupported and "HTTP_IF_MATCH" in request.META else None
