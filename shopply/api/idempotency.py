"""The `Idempotency-Key` header, with which a client can safely send a POST again.

The key and the fingerprint are columns of a row that the request makes, unique for each account:
the database keeps two requests with one key apart, and a request that fails leaves no key behind.
"""

import hashlib
import json
import re

from drf_spectacular.utils import OpenApiParameter

from shopply.api.exceptions import ProblemException, header_error

HEADER = "Idempotency-Key"
# No comma outside of quotes: servers join the values of a header that is sent twice by one.
KEY_PATTERN = '"[!#-~]{1,255}"|[!#-+\\--~][!-+\\--~]{0,254}'
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": f"^({KEY_PATTERN})$"},
    OpenApiParameter.HEADER,
    description="Your own key for this request, which makes it safe to send it again: 1 to 255 "
    "visible ASCII characters, for example a UUID; in double quotes if it contains a comma. The "
    "same key with the same body returns the first response again; with another body it is a 422. "
    "A rejected request frees its key.",
)
IDEMPOTENT_REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200, 201],
    description="Sent if this is the first response again, and nothing was done anew.",
)
REPLAYED_HEADERS = {"Idempotent-Replayed": "true"}


def idempotency_key(request):
    """Return the key, without the quotes that the IETF draft allows around it; None without one."""
    header = request.headers.get(HEADER)
    if header is None:
        return None
    if not re.fullmatch(KEY_PATTERN, header):
        detail = "Must be 1 to 255 visible ASCII characters; in double quotes, if with a comma."
        raise header_error(HEADER, "invalid", detail)
    return header[1:-1] if header.startswith('"') else header


def fingerprint(body):
    """Return the SHA-256 of the body's JSON, regardless of the order of members and of blanks."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def key_and_fingerprint(request, content):
    """Return `key` and `fingerprint` as arguments of a verb; `content` is what it depends on."""
    key = idempotency_key(request)
    return {"key": key, "fingerprint": fingerprint(content) if key else ""}


def key_reused():
    """Return the problem of a key that the account sent with another request."""
    return ProblemException(
        "idempotency_key_reused",
        errors=[
            {
                "header": HEADER,
                "code": "idempotency_key_reused",
                "detail": "Make a new key for a new request.",
            }
        ],
    )
