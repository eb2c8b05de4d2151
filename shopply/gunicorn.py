"""How gunicorn serves the shop: `gunicorn --config python:shopply.gunicorn shopply.wsgi`."""

import os
import shutil
import tempfile

from shopply.knobs import Env
from shopply.worker import Worker

env = Env()

bind = f"0.0.0.0:{env.int('PORT', default=8000, least=1, most=65_535)}"
control_socket_disable = True
forwarded_allow_ips = ""
http_parser = "python"  # whatever is installed: the one in C, gunicorn_h1c, takes folded headers
keepalive = 75  # seconds: load balancers leave a connection idle for up to 60, and close it first
logconfig_dict = {
    "root": {"handlers": []},
    "formatters": {"lines": {"()": "shopply.logs.Lines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "loggers": {"gunicorn.error": {"handlers": ["console"], "propagate": False}},
}
worker_class = Worker
workers = env.workers()


def on_starting(server):
    """Give the workers a place to keep their counts, so that each can tell those of all."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="shopply-metrics-")


def on_exit(server):
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
