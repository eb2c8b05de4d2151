"""Links in mails: each has a `uid`, of an account, and a `token`, which proves who got the mail."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode


class InvalidLink(Exception):
    """The link is malformed, used or too old, or its account has changed."""


def make_uid(pk):
    return urlsafe_base64_encode(force_bytes(pk))


def parse_uid(uid):
    """Return the id of an account. Raises InvalidLink."""
    try:
        return int(urlsafe_base64_decode(uid))
    except ValueError:
        raise InvalidLink from None


def make_link(front_end_page, view, uid, token):
    """Return the URL of a page of the front end, which has `{uid}` and `{token}`, or of this view.

    Its host never comes from a request, which anyone can send with a Host of their own.
    """
    if front_end_page:
        return front_end_page.replace("{uid}", uid).replace("{token}", token)
    if not settings.SERVER_URL:
        raise ImproperlyConfigured("Set SERVER_URL, for links in mails.")
    return settings.SERVER_URL.rstrip("/") + reverse(view, args=[uid, token])
