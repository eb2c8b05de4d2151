"""The tasks that send mails.

Each can run twice: see `OrderMailQuerySet.send` and `message_headers`.
"""

from django.conf import settings

from mail.models import OrderMail, message_headers, order_context
from orders.models import Order
from products.models import Product
from shopply.api.mail import send_mail
from shopply.api.tasks import retried_task


@retried_task
def send_order_mails(pks):
    """Send these OrderMails, but for those that were removed because the account was closed."""
    OrderMail.objects.filter(pk__in=pks).send()


@retried_task
def send_staff_order_placed(order_id, message_id):
    order = Order.objects.select_related("customer", "placed_by").filter(pk=order_id).first()
    if order:
        send_to_staff("staff_order_placed", order_context(order), message_id)


@retried_task
def send_staff_sold_out(product_id, message_id):
    product = Product.objects.filter(pk=product_id).first()
    if product:
        send_to_staff("staff_sold_out", {"product": product}, message_id)


@retried_task
def send_staff_low_stock(product_id, message_id):
    """Send it, unless the product is sold out by now, has enough again, or is retired."""
    product = Product.objects.for_sale().low().in_stock().filter(pk=product_id).first()
    if product:
        send_to_staff("staff_low_stock", {"product": product}, message_id)


def send_to_staff(name, context, message_id):
    if settings.STAFF_EMAILS:
        send_mail(name, settings.STAFF_EMAILS, context, message_headers(message_id))
