"""Order mails: what the customer is sent about an order."""

import time
from contextlib import closing
from email.utils import parseaddr
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

from orders.addresses import label_lines
from orders.events import Action, OrderEvent
from orders.items import ReturnedItem
from orders.models import Order
from orders.transitions import Status
from products.models import Product
from shopply.api.mail import MailNotSent, connect, send_mail


class OrderMailQuerySet(models.QuerySet):
    def send(self):
        """Send those that wait and are wanted, by one connection. One that fails holds up no other.

        Without a lock: on PostgreSQL it would hold up the feed of changes while the mail server
        takes its time, and on SQLite all writers. If a worker is killed before it has noted that
        mails were sent, they are sent again, with the same Message-ID. It notes that at the end,
        since each commit has servers make their pages of products anew.

        Raises what `send_mail` raises, for one of those that failed.
        """
        mails = self.filter(sent=None).order_by("pk").prefetch_related("order__items")
        mails = mails.select_related("order__customer", "event")
        mails = [mail for mail in mails if mail.is_wanted]
        if not mails:  # an earlier attempt sent them, or nobody wants them any more
            return
        error, deadline = None, time.monotonic() + settings.TASK_TIMEOUT / 4
        try:
            with closing(connect()) as connection:
                for mail in mails:
                    if (
                        time.monotonic() > deadline
                    ):  # before the task counts as lost, and runs again
                        raise MailNotSent("The mail server is slow.")
                    try:
                        mail.send(connection)
                    except Exception as exc:
                        error = exc
        finally:
            self.bulk_update([mail for mail in mails if mail.sent], ["sent"])
        if error:
            raise error


class OrderMail(models.Model):
    """A mail about one event of an order, to its customer.

    It has neither address nor text: both are those of the moment when it is sent.
    """

    class Name(models.TextChoices):
        """By the names of their templates."""

        PLACED = "order_placed", "Order placed"
        SHIPPED = "order_shipped", "Order shipped"
        CANCELLED = "order_cancelled", "Order cancelled"
        RETURNED = "order_returned", "Items returned"

    # By the action of the event that it is about.
    NAMES = {
        Action.SHIP: Name.SHIPPED,
        Action.CANCEL: Name.CANCELLED,
        Action.RETURN: Name.RETURNED,
    }

    order = models.ForeignKey(Order, models.CASCADE, related_name="mails", db_constraint=False)
    event = models.OneToOneField(
        OrderEvent,
        models.CASCADE,
        null=True,
        related_name="mail",
        db_constraint=False,
        help_text="Null if the order was placed, which has no row.",
    )
    name = models.CharField("mail", max_length=20, choices=Name)
    message_id = models.UUIDField(default=uuid4, editable=False)
    created = models.DateTimeField(default=timezone.now)
    sent = models.DateTimeField(
        null=True, help_text="Empty while it waits, and if it was not wanted any more."
    )

    objects = OrderMailQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        default_permissions = ()  # whoever may view orders may view them
        constraints = [
            models.UniqueConstraint(
                fields=("order",),
                name="order_mail_placed_once",
                condition=models.Q(event__isnull=True),
            ),
        ]

    def __str__(self):
        return f"{self.get_name_display()}: {self.order}"

    def send(self, connection=None):
        """Send it. Raises what `send_mail` raises; writes nothing."""
        headers = message_headers(self.message_id)
        to, context = [self.order.customer.email], self.get_context()
        send_mail(self.name, to, context, headers, connection)
        self.sent = timezone.now()

    @property
    def is_wanted(self):
        """Whether there is somebody to send it to, and what it says is still true."""
        customer = self.order.customer
        if not (settings.ORDER_MAILS and customer.order_mails and customer.email):
            return False
        return self.name != self.Name.SHIPPED or not self._is_shipping_undone()

    def _is_shipping_undone(self):
        undone = {"action": Action.UNDO, "status": Status.CONFIRMED}
        return self.order.events.filter(pk__gt=self.event_id, **undone).exists()

    def get_context(self):
        context = order_context(self.order) | {"event": self.event}
        if self.name == self.Name.RETURNED:
            returned = ReturnedItem.objects.filter(item__order=self.order, event=self.event)
            # What was written off as damaged has another adjustment, which is negative.
            returned = returned.filter(adjustment__delta__gt=0)
            pieces = returned.values_list("item__name", "adjustment__delta")
            context["returned"] = [{"name": name, "quantity": n} for name, n in pieces]
        return context


class LowStockManager(models.Manager):
    def update_for(self, product_ids):
        """Note which of these products are low by now; return the ids of those that were not."""
        products = Product.objects.for_sale().low().filter(pk__in=product_ids)
        low = set(products.values_list("pk", flat=True))
        known = set(self.filter(product__in=product_ids).values_list("product", flat=True))
        self.filter(product__in=known - low).delete()
        self.bulk_create(self.model(product_id=pk) for pk in sorted(low - known))
        return low - known


class LowStock(models.Model):
    """That a product runs low, so that staff get one mail about it and not one for each sale."""

    product = models.OneToOneField(
        Product, models.CASCADE, related_name="+", primary_key=True, db_constraint=False
    )

    objects = LowStockManager()

    class Meta:
        default_permissions = ()

    def __str__(self):
        return f"Product {self.product_id}"


def order_context(order):
    """Return what the templates of mails about an order need."""
    # Without the phone number: whoever gets the mail knows it.
    address = order.shipping_address and {**order.shipping_address, "contact_number": ""}
    return {
        "order": order,
        "customer_name": order.customer.postal_address()["name"],
        "address": label_lines(address),
    }


def message_headers(message_id):
    """Return the headers by which receivers recognize a mail that is sent again."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return {"Message-ID": f"<{message_id}@{domain}>"}
