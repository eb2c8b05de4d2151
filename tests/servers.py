"""Real servers for tests: processes of granian on the test database, and a client for threads."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from threading import Barrier
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from rest_framework.authtoken.models import Token

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "of a server for tests, which nobody but them can reach",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
}


def database_url(name=None):
    """Return the URL of the test database, or of the one with this name."""
    database = connection.settings_dict
    name = name or database["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    user = f"{database['USER']}:{database['PASSWORD']}"
    return f"postgres://{user}@{database['HOST']}:{database['PORT'] or 5432}/{name}"


# The rate for tests that are not about limits: requests, seconds.
GENEROUS = (100_000_000, 1)
RATES = {f"{name.upper()}_RATE": "{}/{}s".format(*GENEROUS) for name in settings.RATES}


class Response(NamedTuple):
    status: int
    headers: HTTPMessage  # with case-insensitive names
    body: dict | list | None


def free_port():
    """Return a free port below the ephemeral range, of which attacks use thousands."""
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """The shop as production runs it: a master and worker processes, on a free port."""

    def __init__(self, workers=4, module="shopply.wsgi", out=None, log=None, **environment):
        self.port = free_port()
        self.workers = workers
        own = {"PORT": str(self.port), "WEB_CONCURRENCY": str(workers)}
        own["MEDIA_ROOT"] = settings.MEDIA_ROOT
        self.environment = PRODUCTION | RATES | own | environment
        if "COVERAGE_PROCESS_CONFIG" in os.environ:  # coverage of the suite is measured
            self.environment["MEASURED_MODULE"], module = module, "tests.traced"
        start = f"from shopply.server import serve; serve('{module}')"
        options = ("-m", "shopply.server") if module == "shopply.wsgi" else ("-c", start)
        self.command = [sys.executable, *options]
        self.out, self.log = out, log
        self.process = None

    def start(self):
        """Return once each process listens: one that does not yet would miss a SIGTERM."""
        self.process = subprocess.Popen(
            self.command,
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": database_url()} | self.environment,
            stdout=self.out,
            stderr=self.log,
            start_new_session=True,
        )
        deadline = time.monotonic() + 30
        while True:
            sockets = Path("/proc/net/tcp").read_text(encoding="ascii")
            if sockets.count(f" 00000000:{self.port:04X} 00000000:0000 0A ") == self.workers:
                return self
            assert self.process.poll() is None, "the server did not start"
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.02)

    def kill_workers(self):
        """Kill the worker processes, and return once new ones respond."""
        master = self.process.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii")
        for pid in children.split():
            os.kill(int(pid), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.client().call("GET", "/healthz")
            except (OSError, HTTPException):
                assert time.monotonic() < deadline, "no process takes their place"
                time.sleep(0.02)

    def stop(self):
        """Have the master stop its workers and itself, as a platform does."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def kill(self):
        """Kill the master and all its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def client(self, customer=None):
        token = customer and Token.objects.get_or_create(user=customer)[0].key
        return Client(self.port, token)


def at_once(*calls):
    """Return the results of the calls, each made in its own thread, all released at once."""
    barrier = Barrier(len(calls))

    def go(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(go, calls))


class Client:
    """Calls the API as one customer; safe to use from a thread of its own."""

    def __init__(self, port, token=None):
        self.port = port
        self.headers = {"Authorization": f"Token {token}"} if token else {}

    def call(self, method, path, body=None, timeout=60, **headers):
        """Return the Response; raise OSError or HTTPException if there was none."""
        peer = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            payload = None if body is None else json.dumps(body)
            extra = {name.replace("_", "-"): value for name, value in headers.items()}
            all_headers = {"Content-Type": "application/json"} | self.headers | extra
            peer.request(method, path, payload, all_headers)
            response = peer.getresponse()
            content = response.read()
            return Response(
                response.status, response.headers, json.loads(content) if content else None
            )
        finally:
            peer.close()

    def order(self, quantities, **headers):
        """Order `{product id: quantity}`."""
        items = [{"product": pk, "quantity": quantity} for pk, quantity in quantities.items()]
        return self.call("POST", "/api/orders/", {"items": items}, **headers)
