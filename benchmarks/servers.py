"""The shop and its peers, each as its own documentation has it run: two worker processes."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks import load
from benchmarks.databases import ROOT
from benchmarks.load import Failure

WORKERS = "2"
RATE = "10000000/m"  # raised for the one address that all requests come from; counting stays on
SHOP, BARE = "the shop", "bare Django"
PLAIN, FASTAPI, FASTAPI_COUNT = "plain DRF", "FastAPI", "FastAPI, count kept"
FIVE, ONE = "SQL, five statements", "SQL, one statement"


def command_of(name, port):
    here = Path(sys.executable).parent
    at = f"127.0.0.1:{port}"
    if name == SHOP:
        web = (ROOT / "Procfile").read_text().partition("web: ")[2].splitlines()[0]
        return ["sh", "-c", web.replace("0.0.0.0", "127.0.0.1")]
    if name == BARE:
        return [
            *(here / "granian", "--interface", "wsgi", "--workers", WORKERS),
            *("--blocking-threads", "1", "--no-ws", "--log-level", "warning"),
            *("--host", "127.0.0.1", "--port", str(port), "benchmarks.peers.bare:application"),
        ]
    if name == PLAIN:
        return [
            *(here / "gunicorn", "benchmarks.peers.plain.wsgi", "--workers", WORKERS),
            *("--bind", at, "--no-control-socket", "--log-level", "warning"),
        ]
    return [
        *(here / "uvicorn", "benchmarks.peers.fast.main:app", "--workers", WORKERS),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--no-access-log", "--log-level", "warning"),
    ]


def environment_of(name, port):
    if name == FASTAPI_COUNT:
        return {"COUNT": "kept"}
    if name != SHOP:
        return {}
    limits = ("ANONYMOUS", "CUSTOMER", "ORDER", "ACCOUNT", "LOG_IN_ACCOUNT", "LOG_IN_ADDRESS")
    return {
        **{f"{limit}_RATE": RATE for limit in limits},
        "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(port),
        "WEB_CONCURRENCY": WORKERS,
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "false",
    }


class Server:
    """One that speaks HTTP."""

    def __init__(self, name, database, folder):
        self.name = name
        self.database = database
        self.folder = Path(folder)
        self.log = self.folder / f"{name}.log"

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        own = {"DATABASE_URL": self.database.url, "ANSWERS": str(self.folder / "answers.json")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command_of(self.name, self.port),
                cwd=ROOT,
                env=os.environ | own | environment_of(self.name, self.port),
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def wait(self):
        """Return once it answers."""
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/api/products/")
                connection.getresponse().read()
                return
            except (OSError, HTTPException):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    told = self.log.read_text()[-3000:]
                    raise Failure(f"{self.name} does not start:\n{told}") from None
                time.sleep(0.05)
            finally:
                connection.close()

    def stop(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ask(self, asked):
        """Status, headers and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = asked.content() or None
            connection.request(asked.method, asked.path, content, asked.all_headers())
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def load(self, requests, seconds, count_304=False):
        return load.wrk(self, requests, seconds, self.folder, count_304)


class RawSQL:
    """Two processes that place orders in the database, and speak no HTTP."""

    def __init__(self, name, database, folder):
        self.name = name
        self.database = database

    def start(self):
        pass

    wait = stop = start

    def load(self, requests, seconds, count_304=False):
        return load.raw_sql({FIVE: "five", ONE: "one"}[self.name], self.database, seconds)


@contextmanager
def running(names, template, copy, folder):
    """All these servers at once, each on a fresh copy of the template."""
    with ExitStack() as stack:
        servers = []
        for index, name in enumerate(names):
            database = copy(f"copy_{index}")
            database.create(template)
            stack.callback(database.drop)
            kind = RawSQL if name in (FIVE, ONE) else Server
            servers.append(kind(name, database, folder))
        for server in servers:
            server.start()
            stack.callback(server.stop)
        for server in servers:
            server.wait()
        yield servers
