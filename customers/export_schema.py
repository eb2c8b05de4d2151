"""The export of an account in the OpenAPI document.

What other apps add to it is known here by its name there only.
"""

from customers.serializers import CUSTOMER_EXAMPLE

EXPORT_SCHEMA = {
    "title": "Export",
    "type": "object",
    "properties": {
        "account": {"type": "object", "description": "The profile, and what the account may do."},
        "token": {
            "type": ["object", "null"],
            "description": "When your token was `created`, and `expires` if it does.",
        },
        "admin_log": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What you did in the admin, and what was done there to your account.",
        },
        "orders": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Order"},
            "description": "Your orders.",
        },
        "idempotency_keys": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The keys that you sent with orders.",
        },
        "order_staff_notes": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What the shop's staff noted about your orders, for themselves.",
        },
        "order_events": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What you did with others' orders.",
        },
        "order_mails": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The mails about your orders: what, and when they were sent.",
        },
        "bulk_transitions": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The transitions of many orders that you selected in the admin lately.",
        },
        "stock_adjustments": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The adjustments of the stock that you made.",
        },
        "product_images": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The pictures of products that you added.",
        },
        "bulk_updates": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The changes of many products that you made lately, with their keys.",
        },
    },
}

EXPORT_EXAMPLE = {
    "account": CUSTOMER_EXAMPLE
    | {
        "new_email": "",
        "staff_note": "",
        "date_joined": "2026-03-02T09:15:00Z",
        "last_login": None,
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "groups": [],
        "permissions": [],
    },
    "token": {"created": "2026-03-09T10:20:51.138442Z", "expires": None},
    "admin_log": [],
    "orders": [],
    "idempotency_keys": [{"order": 1, "idempotency_key": "2b1f6c0e-6d0f-4c55-a3f1-0a4f6f4f8a37"}],
    "order_staff_notes": [],
    "order_events": [],
    "order_mails": [],
    "bulk_transitions": [],
    "stock_adjustments": [],
    "product_images": [],
    "bulk_updates": [],
}
