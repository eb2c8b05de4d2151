"""The production server, granian configured for the shop: `python -m shopply.server`.

Run it behind a proxy that buffers requests: slow clients would hold its threads.
"""

import gc
import os
import sys
import tempfile
from importlib import import_module

import django
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

STOP_TIMEOUT = 30  # seconds for requests in progress after a SIGTERM


def serve(module="shopply.wsgi"):
    """Serve until a SIGTERM, then finish requests in progress. Exits if a system check fails."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")
    limit_statements(settings.DATABASES["default"])
    with tempfile.TemporaryDirectory(prefix="shopply-metrics-") as counts:
        # prometheus_client reads this on import; each process has files of its own there.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        django.setup()
        try:
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                call_command("check", stdout=nowhere)
        except SystemCheckError as error:
            sys.exit(str(error))
        for stream in (sys.stdout, sys.stderr):
            if not stream.isatty():  # lines are lost if nobody reads them, and no request waits
                os.set_blocking(stream.fileno(), False)
        import_module(module)  # once: the workers are forked from this process
        # The garbage collector skips what is loaded by now, and runs less than once a request.
        # Row "own orders, 25": a tenth more, at half the 99th percentile.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)
        Granian(
            f"{module}:application",
            address="0.0.0.0",  # noqa: S104  the network decides who can reach it
            port=settings.PORT,
            interface=Interfaces.WSGI,
            workers=settings.WEB_CONCURRENCY,
            blocking_threads=settings.BLOCKING_THREADS,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                # Also the idle timeout: longer than the 60 s of proxies, which close first.
                header_read_timeout=75_000,  # milliseconds
                max_buffer_size=64 * 1024,  # bytes of a head
            ),
            websockets=False,
            log_dictconfig=settings.LOGGING,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_TIMEOUT,
        ).serve()


def limit_statements(database):
    """Limit statements of requests; migrations and other commands have no limit."""
    if database["ENGINE"].endswith("postgresql"):
        # The second releases the locks of a process that hangs in a transaction.
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            database["OPTIONS"]["options"] += f" -c {limit}={settings.STATEMENT_TIMEOUT}s"


if __name__ == "__main__":
    serve()
