"""The production server, granian set up for the shop: `python -m shopply.server`.

It is for a place behind a proxy, which holds clients that send slowly, or only half of a request.
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

STOP_TIMEOUT = 30  # seconds for the requests under way, once it is told to stop


def serve(module="shopply.wsgi"):
    """Serve until a SIGTERM, and answer the requests under way; exit if a check of Django fails."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")
    limit_statements(settings.DATABASES["default"])
    with tempfile.TemporaryDirectory(prefix="shopply-metrics-") as counts:
        # prometheus_client looks for it on import; each process counts in files of its own there.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        django.setup()
        try:
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                call_command("check", stdout=nowhere)
        except SystemCheckError as error:
            sys.exit(str(error))
        for stream in (sys.stdout, sys.stderr):
            if not stream.isatty():  # lines are lost if nobody reads them; else requests would wait
                os.set_blocking(stream.fileno(), False)
        import_module(module)  # here, once: the processes that serve are forked from this one
        # Row "own orders, 25": a tenth more, at half the 99th percentile. Garbage is looked for no
        # more among what is loaded by now, nor several times in one request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)
        Granian(
            f"{module}:application",
            address="0.0.0.0",  # noqa: S104  who may reach it is for the network to say
            port=settings.PORT,
            interface=Interfaces.WSGI,
            workers=settings.WEB_CONCURRENCY,
            blocking_threads=settings.BLOCKING_THREADS,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                # Also of idle connections: proxies keep one for up to 60, and close it first.
                header_read_timeout=75_000,  # milliseconds
                max_buffer_size=64 * 1024,  # bytes of a head
            ),
            websockets=False,
            log_dictconfig=settings.LOGGING,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_TIMEOUT,
        ).serve()


def limit_statements(database):
    """Bound statements here, as they are those of requests: a migration takes the time it takes."""
    if database["ENGINE"].endswith("postgresql"):
        # A request that stops in a transaction, its process hanging, gives up its locks as late.
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            database["OPTIONS"]["options"] += f" -c {limit}={settings.STATEMENT_TIMEOUT}s"


if __name__ == "__main__":
    serve()
