"""The messages of webhooks: each is a change of the feed, and has no personal data."""

from typing import NamedTuple
from uuid import uuid4

from django.utils import timezone

from changes.models import Change
from changes.serializers import ChangeSerializer
from shopply.api.renderers import JSONRenderer

TEST_EVENT = "test"
# By type of object, the events of the feed; those that a webhook names otherwise, with that name.
EVENTS = {
    Change.Type.ORDER: {
        **{event: event for event in ("placed", "confirmed", "shipped", "delivered", "cancelled")},
        **{event: event for event in ("changed", "deleted")},
    },
    Change.Type.PRODUCT: {
        "created": "created",
        "stock": "stock_changed",
        "sold_out": "sold_out",
        "price": "price_changed",
        **{event: event for event in ("retired", "changed", "deleted")},
    },
    Change.Type.CUSTOMER: {event: event for event in ("created", "changed", "closed", "deleted")},
}
EVENT_NAMES = [
    f"{object_type}.{name}" for object_type, names in EVENTS.items() for name in names.values()
]


def name_event(change):
    """Return the name of a change for webhooks, such as `order.placed`."""
    # A server of a later release may write events that this one does not know yet.
    return f"{change.type}.{EVENTS.get(change.type, {}).get(change.event, change.event)}"


class Message(NamedTuple):
    """What is sent. The id and the body are the same whenever it is sent."""

    message_id: str
    event: str
    object_id: int | None
    body: str  # JSON


def build_message(change):
    """Return the Message of a change that the feed returned."""
    data = ChangeSerializer(change).data
    name = name_event(change)
    return Message(
        f"msg_{change.cursor}", name, change.object_id, render_body(name, data["at"], data)
    )


def build_test_message():
    """Return a Message by which a receiver can be tried out."""
    body = render_body(TEST_EVENT, timezone.now(), {})
    return Message(f"msg_{uuid4().hex}", TEST_EVENT, None, body)


def render_body(name, timestamp, data):
    content = {"type": name, "timestamp": timestamp, "data": data}
    return JSONRenderer().render(content).decode()
