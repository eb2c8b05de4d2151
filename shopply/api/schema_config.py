"""What drf-spectacular puts into the OpenAPI document, and Swagger UI."""

from pathlib import Path

INTRODUCTION = Path(__file__).with_name("introduction.md")


def schema_config(version, contact_url):
    """Return the setting SPECTACULAR_SETTINGS."""
    return {
        "TITLE": "shopply",
        "VERSION": version,
        "OAS_VERSION": "3.1.1",
        "DESCRIPTION": INTRODUCTION.read_text(encoding="utf-8"),
        "CONTACT": {"name": "The shop"} | ({"url": contact_url} if contact_url else {}),
        "SERVERS": [{"url": "/"}],
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SERVE_AUTHENTICATION": [],
        "SCHEMA_PATH_PREFIX": "/api",
        "TAGS": [
            {"name": "tokens", "description": "Logging in."},
            {"name": "customers", "description": "Accounts and profiles."},
            {"name": "products", "description": "The catalogue and its stock."},
            {"name": "categories", "description": "The tree by which customers browse."},
            {"name": "orders", "description": "Placing and following orders."},
            {"name": "changes", "description": "What changed, for whoever keeps a copy."},
        ],
        "WEBHOOKS": ["webhooks.schema.EVENT_WEBHOOK"],
        "COMPONENT_SPLIT_REQUEST": True,
        "DISABLE_DOCSTRING_DESCRIPTIONS": True,  # docstrings are for those who read the code
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "SWAGGER_UI_SETTINGS": {
            "persistAuthorization": True,
            "displayRequestDuration": True,
            "tryItOutEnabled": True,
            "defaultModelsExpandDepth": 0,
            "validatorUrl": None,  # otherwise the page sends the shop's address to another server
        },
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "shopply.api.schema.complete_operations",
            "shopply.api.schema.add_problems",
            "shopply.api.schema.add_locations",
            "shopply.api.schema.mark_bigints",
        ],
    }
