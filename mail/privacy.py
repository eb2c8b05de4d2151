"""What mails hold about a person: exported on request, erased when the account is closed."""

from mail.models import OrderMail


def export(sender, customer, **kwargs):
    """Receive `exporting`."""
    mails = OrderMail.objects.filter(order__customer=customer)
    return {"order_mails": list(mails.values("order", "name", "created", "sent"))}


def erase(sender, customer, **kwargs):
    """Receive `closing`: mails that wait are not sent any more."""
    OrderMail.objects.filter(order__customer=customer).delete()
