"""What the worker does for accounts: the mails that requests cause."""

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX

from customers.models import Customer
from customers.password_links import password_link
from shopply.api.mail import send_mail
from shopply.api.tasks import URGENT, retried_task

MAX_ACCOUNTS = 10  # of one address, in one mail


@retried_task(priority=URGENT)
def find_forgotten_accounts(email):
    """Have links mailed to the accounts of this address that log in with a password.

    Mailing is another task, whose row has ids: it may be tried for a day, and kept for a month.
    """
    accounts = Customer.objects.with_email(email).filter(is_active=True)
    accounts = accounts.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    ids = [*accounts.order_by("-email_confirmed", "pk").values_list("pk", flat=True)[:MAX_ACCOUNTS]]
    if ids:
        mail_password_links.enqueue(ids)


@retried_task(priority=URGENT)
def mail_password_links(customer_ids):
    """Mail each address of these accounts one mail, with a link for each user name."""
    accounts_by_address = {}
    customers = Customer.objects.filter(pk__in=customer_ids, is_active=True).exclude(email="")
    for customer in customers.order_by("pk"):
        account = {"username": customer.username, "link": password_link(customer)}
        accounts_by_address.setdefault(customer.email, []).append(account)
    for address, accounts in accounts_by_address.items():
        send_mail("password_reset", [address], {"accounts": accounts})


@retried_task(priority=URGENT)
def mail_confirmation_link(customer_id):
    """Mail a link to the address of an account that is not confirmed; to none, if that is done.

    The mail names nobody: the address may be that of somebody else, who never heard of the shop.
    """
    customer = Customer.objects.filter(pk=customer_id, is_active=True).first()
    if customer and customer.address_to_confirm:
        context = {"link": customer.confirmation_link()}
        send_mail("email_confirmation", [customer.address_to_confirm], context)


@retried_task(priority=URGENT)
def mail_old_address(customer_id, old_address):
    """Tell an address that was confirmed that its account has another one now."""
    customer = Customer.objects.filter(pk=customer_id, is_active=True).first()
    if customer and customer.email.upper() != old_address.upper():
        send_mail("email_changed", [old_address], {"username": customer.username})
