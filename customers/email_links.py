"""Links that confirm e-mail addresses: they are mailed by tasks, committed with their cause."""

from django.conf import settings
from django.db import transaction

from customers.login_limits import LoginLimit
from customers.models import Customer
from customers.rate_limits import network
from customers.tasks import mail_confirmation_link, mail_old_address


def request_link(customer, request):
    """Have the worker mail a link to the address that the customer has to confirm.

    Not too often to one address from one network: otherwise anyone could flood it, and without the
    network, keep its owner from getting a link. Returns 0, or the seconds to wait.
    """
    limit = LoginLimit("email confirmation", *settings.RATES["email_confirmation"])
    address = customer.address_to_confirm.upper()
    count = limit.increment(limit.key(f"{address}\n{network(request.META['REMOTE_ADDR'])}"))
    if count > limit.max_count:
        return limit.wait
    mail_confirmation_link.enqueue(customer.pk)
    return 0


@transaction.atomic
def confirm(uid, token):
    """Confirm the address of a link, and tell the old one. Raises InvalidLink."""
    customer, old_address = Customer.confirm_email(uid, token)
    if old_address:
        mail_old_address.enqueue(customer.pk, old_address)
