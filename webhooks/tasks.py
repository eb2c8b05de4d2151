"""Sending: tasks for the worker, and the periodic jobs that enqueue them and clean up."""

import logging
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from changes.models import Change
from shopply.api.mail import send_mail
from shopply.api.tasks import retried_task
from webhooks.client import Deadline
from webhooks.events import Message, build_message, build_test_message
from webhooks.models import WORK_TIME, Delivery, Endpoint

MESSAGES_AT_ONCE = 25  # to one endpoint; the next task for it is enqueued within a second

logger = logging.getLogger("shopply.webhooks")


def enqueue_deliveries():
    """Enqueue a task for each endpoint that has not got the newest change and may be sent to.

    Runs each second: when nothing is new, it reads the endpoints and the end of the feed.
    """
    endpoints = [*Endpoint.objects.unqueued()]
    if not endpoints:
        return
    newest = Change.objects.latest_cursor()
    for endpoint in endpoints:
        if endpoint.cursor != newest:
            with transaction.atomic():
                # Asked again by the statement that writes, as another process may do the same.
                if Endpoint.objects.unqueued().filter(pk=endpoint.pk).update(queued_at=Now()):
                    deliver.enqueue(endpoint.pk)


@retried_task
def deliver(endpoint_pk):
    """Send the changes that follow, in their order, until an attempt fails.

    At most MESSAGES_AT_ONCE, and for WORK_TIME: so others have their turn, and in a rush of orders
    neither receivers nor the shop's own processors are flooded.
    """
    deadline = Deadline(WORK_TIME)
    endpoint = Endpoint.objects.claim(endpoint_pk)
    if endpoint is None:
        return
    sent = []  # written at the end, since each commit has servers make their pages of products anew
    try:
        for change in islice(endpoint.follow(deadline), MESSAGES_AT_ONCE):
            if deadline.is_over or not endpoint.reload():
                break
            message = build_message(change)
            result = endpoint.send(message)
            sent.append((message, result))
            if not result.succeeded:
                break
            endpoint.move_to(change.cursor)
    finally:
        record(endpoint, sent)


@transaction.atomic
def record(endpoint, sent):
    """Write what was sent, `(Message, Result)`, and release the endpoint."""
    Delivery.objects.record(endpoint, sent, attempts=endpoint.failures + 1)
    if endpoint.release([result for _, result in sent]):
        logger.warning("Webhook endpoint %d is disabled.", endpoint.pk)
        if settings.STAFF_EMAILS:
            mail_disabled.enqueue(endpoint.pk)


def enqueue_test(endpoint):
    """Send a message by which a receiver can be tried out, beside the order of events."""
    with transaction.atomic():
        message = build_test_message()
        delivery = endpoint.deliveries.create(**message._asdict())
        send_again.enqueue(delivery.pk)


@retried_task
def send_again(delivery_pk):
    """Send a message of the log once more. Its endpoint goes on with its own order meanwhile."""
    delivery = Delivery.objects.select_related("endpoint").filter(pk=delivery_pk).first()
    if delivery:  # unless its days were over
        message = Message(*(getattr(delivery, name) for name in Message._fields))
        sent = [(message, delivery.endpoint.send(message))]
        Delivery.objects.record(delivery.endpoint, sent, attempts=delivery.attempts + 1)


@retried_task
def mail_disabled(endpoint_pk):
    """Tell the staff that an endpoint is disabled, unless it is not any more."""
    endpoint = Endpoint.objects.filter(pk=endpoint_pk, is_active=False).first()
    if endpoint:
        send_mail("webhook_disabled", settings.STAFF_EMAILS, {"endpoint": endpoint})


def remove_old_deliveries():
    """Remove what is older than the log is kept; a job of every hour."""
    while Delivery.objects.remove_old():
        pass
