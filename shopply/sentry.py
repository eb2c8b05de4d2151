"""Sends logged errors to Sentry, if there is a SENTRY_DSN.

The SDK's integrations that read requests are off. Nothing that could hold a client's data is sent:
no request, user, breadcrumbs or local variables.
"""

import logging

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger

from shopply import logging_config

SENT = {
    *("contexts", "environment", "event_id", "exception", "level", "logentry", "logger"),
    *("platform", "release", "sdk", "server_name", "timestamp"),
}


def start():
    ignore_logger("django.security.*")  # any client can trigger these
    sentry_sdk.init(
        settings.SENTRY_DSN,
        release=settings.SENTRY_RELEASE,
        environment=settings.SENTRY_ENVIRONMENT,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        include_local_variables=False,
        max_breadcrumbs=0,
        before_send=remove_private_data,
    )


def remove_private_data(event, hint):
    """Remove members that may hold personal data, such as `extra` with Django's request."""
    event = {name: value for name, value in event.items() if name in SENT}
    event["tags"] = {"request_id": logging_config.request_id.get()}
    for exception in event.get("exception", {}).get("values", ()):
        # Further lines of PostgreSQL's messages contain values of rows.
        exception["value"] = exception["value"].partition("\n")[0]
    return event
