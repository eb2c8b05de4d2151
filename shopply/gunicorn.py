"""How gunicorn serves the shop: `gunicorn --config python:shopply.gunicorn shopply.wsgi`."""

import os
import shutil
import tempfile

import environ

from shopply.logging_config import JSON_FORMATTER
from shopply.worker import Worker

env = environ.Env()

bind = f"0.0.0.0:{env.int('PORT', default=8000)}"
control_socket_disable = True
forwarded_allow_ips = ""
http_parser = "python"  # whatever is installed: the one in C, gunicorn_h1c, takes folded headers
keepalive = 75  # seconds: load balancers leave a connection idle for up to 60, and close it first
logconfig_dict = {
    "root": {"handlers": []},
    "formatters": {"json": JSON_FORMATTER},
    "filters": {"request_context": {"()": "shopply.logging_config.AddRequestContext"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["request_context"],
            "formatter": "json",
        }
    },
    "loggers": {"gunicorn.error": {"handlers": ["console"], "propagate": False}},
}
worker_class = Worker
workers = env.int("WEB_CONCURRENCY", default=1)


def on_starting(server):
    """Give the workers a place to keep their counts, so that each can tell those of all."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="shopply-metrics-")


def on_exit(server):
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
