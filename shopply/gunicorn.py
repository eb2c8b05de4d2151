"""How gunicorn serves the shop: `gunicorn --config python:shopply.gunicorn shopply.wsgi`."""

import os

from shopply.worker import Worker

bind = f"0.0.0.0:{os.environ.get('PORT', 8000)}"
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
