"""What a receiver gets, for the OpenAPI document (SPECTACULAR_SETTINGS)."""

from drf_spectacular.utils import OpenApiWebhook

from changes.models import Change
from changes.pagination import CURSOR_EXAMPLE
from webhooks.client import TIMEOUT
from webhooks.events import EVENT_NAMES, TEST_EVENT

HEADERS = {
    "webhook-id": "The same whenever this message is sent: by it, a receiver knows a repetition.",
    "webhook-timestamp": "When it was sent this time, in seconds since 1970.",
    "webhook-signature": "One signature or several, divided by spaces; one of them must match.",
}
# A `Change` of the feed, whose members are read-only there: here a receiver is sent them.
CHANGE = {
    "cursor": {"type": "string", "description": "The position of this change in the feed."},
    "type": {
        "type": "string",
        "description": "What changed.",
        "x-extensible-enum": Change.Type.values,
    },
    "id": {"type": "integer", "format": "int64", "description": "The id of the object."},
    "at": {"type": "string", "format": "date-time", "description": "When."},
    "event": {
        "type": "string",
        "description": "What happened to it, in the words of the feed.",
        "x-extensible-enum": Change.Event.values,
    },
}
AT_EXAMPLE = "2026-03-09T10:21:07.482913Z"

EVENT_WEBHOOK = OpenApiWebhook(
    "event",
    {
        "post": {
            "operationId": "webhook_event",
            "summary": "Receive what changes",
            "description": "The shop sends each change of the feed to the endpoints that its staff "
            "entered in the admin, signed by the "
            "[Standard Webhooks](https://www.standardwebhooks.com) specification, whose libraries "
            "verify it. An endpoint gets one message after the other, in the order of the feed, "
            f"each at least once. A response other than 2xx, or none within {TIMEOUT} seconds, is "
            "a failure: the message is sent again later, and the next ones wait. Messages say "
            "what changed, and not to what: fetch the object.",
            "tags": ["changes"],
            "parameters": [
                {
                    "in": "header",
                    "name": name,
                    "required": True,
                    "description": description,
                    "schema": {"type": "string"},
                }
                for name, description in HEADERS.items()
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["type", "timestamp", "data"],
                            "properties": {
                                "type": {
                                    "type": "string",
                                    "description": f"More may come. `{TEST_EVENT}`, whose `data` "
                                    "is empty, is sent by staff to try a receiver out.",
                                    "x-extensible-enum": [*EVENT_NAMES, TEST_EVENT],
                                },
                                "timestamp": {
                                    "type": "string",
                                    "format": "date-time",
                                    "description": "When it happened.",
                                },
                                "data": {
                                    "type": "object",
                                    "properties": CHANGE,
                                    "description": "The change, as the feed shows it.",
                                },
                            },
                        },
                        "examples": {
                            "AnOrderWasShipped": {
                                "summary": "An order was shipped",
                                "value": {
                                    "type": "order.shipped",
                                    "timestamp": AT_EXAMPLE,
                                    "data": {
                                        "cursor": CURSOR_EXAMPLE,
                                        "type": "order",
                                        "id": 1,
                                        "at": AT_EXAMPLE,
                                        "event": "shipped",
                                    },
                                },
                            }
                        },
                    }
                },
            },
            "responses": {
                "2XX": {"description": "Received: the next message follows."},
                "410": {"description": "Not wanted any more: the shop disables the endpoint."},
            },
            "security": [],
        }
    },
)
