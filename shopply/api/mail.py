"""Mails from templates, which a shop can replace (`SHOP_TEMPLATES`)."""

from contextlib import contextmanager

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils import timezone, translation


def has_mail_server():
    """Return whether mails leave: not by `dummymail://`, the default in production."""
    return settings.EMAIL_BACKEND != "django.core.mail.backends.dummy.EmailBackend"


def describe_shop():
    """Return the context of mails, and of pages for customers: name, address and URL."""
    return {
        "shop_name": settings.SHOP_NAME or "The shop",
        "shop_address": settings.SHOP_ADDRESS.split("|") if settings.SHOP_ADDRESS else [],
        "shop_url": settings.SHOP_URL,
    }


class MailNotSent(Exception):
    """The mail server is away or refuses the mail; without its words, which quote addresses."""


@contextmanager
def hide_words():
    """Raise MailNotSent instead of what a mail server's backend raises."""
    try:
        yield
    except Exception as exc:  # those of django-anymail have no base in common with SMTP's
        code = getattr(exc, "smtp_code", "")
        raise MailNotSent(f"{type(exc).__name__} {code}".strip()) from None


def connect():
    """Return an open connection for several mails, to be closed. Raises MailNotSent."""
    connection = get_connection()
    with hide_words():
        connection.open()
    return connection


def send_mail(name, to, context, headers=None, connection=None):
    """Send a mail to these addresses: `mail/<name>_subject.txt`, `mail/<name>.txt` and `.html`.

    In the shop's language and time zone, by a connection of its own or this one. Raises
    MailNotSent, whose text can be logged.
    """
    context = describe_shop() | context
    with (
        translation.override(settings.SHOP_LANGUAGE),
        timezone.override(settings.SHOP_TIME_ZONE),
    ):
        subject = render_to_string(f"mail/{name}_subject.txt", context)
        mail = EmailMultiAlternatives(
            " ".join(subject.split()),  # on one line
            render_to_string(f"mail/{name}.txt", context),
            to=to,
            headers={"Auto-Submitted": "auto-generated", **(headers or {})},  # RFC 3834
            connection=connection,
        )
        mail.attach_alternative(render_to_string(f"mail/{name}.html", context), "text/html")
    with hide_words():
        mail.send()
