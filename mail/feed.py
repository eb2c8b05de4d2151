"""Makes mails of what the feed of changes shows: only of what was committed, and once."""

from datetime import timedelta
from uuid import uuid4

from django.conf import settings

from changes.models import Change, Reader
from mail import tasks
from mail.models import LowStock, OrderMail
from orders.events import OrderEvent
from orders.models import Order
from shopply.api.mail import has_mail_server

READER = "mail"
MAX_BATCHES = 100  # of changes in a row, so that other jobs get their turn
# Mails that one task sends: soon enough for others to have their turn.
MAILS_AT_ONCE = 10
# A change and its event are written in one transaction, the event's time is read first.
MAX_DELAY = timedelta(minutes=1)
# After which a product may be low, or not any more.
STOCK_EVENTS = ("created", "stock", "changed", "retired")
ORDER, PRODUCT = Change.Type.ORDER, Change.Type.PRODUCT


def make_mails():
    """Make mails of the changes that the reader has not read yet, up to the first that make some.

    Runs each second. So in a rush of orders the feed waits rather than the queue, where everything
    else would wait too; and requests keep the processors.

    It also reads what nobody is mailed about, so that no old mails leave when a setting changes.
    """
    for _ in range(MAX_BATCHES):
        enqueued = Reader.objects.handle_next(READER, enqueue_mails)
        if enqueued is None or enqueued > 0:  # None: there are no changes
            break


def enqueue_mails(changes):
    """Enqueue the mails about these changes, in the transaction that moves the reader on.

    Returns how many tasks that are.
    """
    calls = []
    short = LowStock.objects.update_for(find_objects(changes, PRODUCT, *STOCK_EVENTS))
    if has_mail_server() and settings.ORDER_MAILS:
        pks = [mail.pk for mail in create_order_mails(changes)]
        for start in range(0, len(pks), MAILS_AT_ONCE):
            calls.append((tasks.send_order_mails, pks[start : start + MAILS_AT_ONCE]))
    if has_mail_server() and settings.STAFF_EMAILS:
        placed = find_objects(changes, ORDER, "placed")
        sold_out = find_objects(changes, PRODUCT, "sold_out")
        low = sorted(short - sold_out.keys())
        calls += [(tasks.send_staff_order_placed, pk, str(uuid4())) for pk in placed]
        calls += [(tasks.send_staff_sold_out, pk, str(uuid4())) for pk in sold_out]
        calls += [(tasks.send_staff_low_stock, pk, str(uuid4())) for pk in low]
    for task, *arguments in calls:
        task.enqueue(*arguments)
    return len(calls)


def find_objects(changes, object_type, *events):
    """Return the ids of the objects of this type to which these events happened, each once."""
    return dict.fromkeys(
        change.object_id
        for change in changes
        if change.type == object_type and change.event in events
    )


def create_order_mails(changes):
    """Create the OrderMails about these changes; return them."""
    placed = find_objects(changes, ORDER, "placed")
    moved = find_objects(changes, ORDER, "shipped", "cancelled", "changed")
    if not (placed or moved):
        return []
    orders = Order.objects.filter(pk__in={**placed, **moved})
    mailed = orders.filter(customer__order_mails=True).exclude(customer__email="")
    mailed = set(mailed.values_list("pk", flat=True))
    # A change does not say which event it was: those since it that have no mail, then.
    events = OrderEvent.objects.filter(
        order__in=mailed.intersection(moved),
        action__in=OrderMail.NAMES,
        at__gt=min(change.at for change in changes) - MAX_DELAY,
    )
    about = [(pk, None, OrderMail.Name.PLACED) for pk in placed if pk in mailed]
    about += [
        (order_id, pk, OrderMail.NAMES[action])
        for order_id, pk, action in events.values_list("order", "pk", "action")
    ]
    existing = set(OrderMail.objects.filter(order__in=mailed).values_list("order", "event"))
    return OrderMail.objects.bulk_create(
        OrderMail(order_id=order_id, event_id=event_id, name=name)
        for order_id, event_id, name in about
        if (order_id, event_id) not in existing
    )
