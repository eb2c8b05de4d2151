"""Failures, told to Sentry where a SENTRY_DSN is set: what is logged as an error, and no more.

None of the SDK's integrations that look at requests is on. What could hold a caller's data is not
sent: no request, user, breadcrumbs or local variables.
"""

import logging

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from shopply import logging_config

SENT = {
    "contexts",
    "environment",
    "event_id",
    "exception",
    "level",
    "logentry",
    "logger",
    "platform",
    "release",
    "sdk",
    "server_name",
    "timestamp",
}


def start():
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
        before_send=only_what_failed,
    )


def only_what_failed(event, hint):
    sent = {name: value for name, value in event.items() if name in SENT}
    sent["tags"] = {"request_id": logging_config.request_id.get()}
    for exception in sent.get("exception", {}).get("values", ()):
        # The next lines of PostgreSQL's messages have values of rows.
        exception["value"] = exception["value"].partition("\n")[0]
    return sent
