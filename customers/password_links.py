"""Links that set a new password, with a token of Django's generator.

A link works once, within PASSWORD_RESET_TIMEOUT, and only as long as the account keeps the
password, the e-mail address and the last log-in to the admin that it had.
"""

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction

from customers.links import InvalidLink, make_link, make_uid, parse_uid
from customers.models import Customer, hashing
from customers.tokens import AccessToken


def password_link(customer):
    """Return the URL of the page, this server's or the front end's, that sets a password."""
    token = default_token_generator.make_token(customer)
    page = settings.PASSWORD_RESET_URL
    return make_link(page, "password_reset_confirm", make_uid(customer.pk), token)


def get_account(uid):
    """Return the active account of a link, or None."""
    try:
        pk = parse_uid(uid)
    except InvalidLink:
        return None
    return Customer.objects.filter(pk=pk, is_active=True).first()


def open_link(uid, token):
    """Return the account whose password the link sets. Raises InvalidLink."""
    customer = get_account(uid)
    if not default_token_generator.check_token(customer, token):
        raise InvalidLink
    return customer


def reset_password(customer, password):
    """Set the password and revoke the access token, for a link of `customer` as it was read.

    Raises Busy, and InvalidLink if the account has changed: another request with the same link may
    have set a password while this one was hashed.
    """
    with hashing.acquire():
        encoded = make_password(password)
    with transaction.atomic():
        unchanged = Customer.objects.filter(
            pk=customer.pk, password=customer.password, email=customer.email, is_active=True
        )
        if not unchanged.update(password=encoded, new_email=""):
            raise InvalidLink
        AccessToken.revoke(customer)
