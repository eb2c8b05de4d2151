"""The shop and its peers, each run as its documentation says, with two worker processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.databases import PRODUCTION, ROOT
from benchmarks.load import Failure

WORKERS = "2"
SHOP, REDIS, NO_FEED = "the shop", "the shop, with Redis", "the shop, without the feed"
THREADS = {"the shop, 1 thread": 1, "the shop, 2 threads": 2, "the shop, 4 threads": 4}
SHOPS = (SHOP, REDIS, NO_FEED, *THREADS)
BARE, PLAIN = "bare Django", "plain DRF"
FASTAPI, FASTAPI_COUNT = "FastAPI", "FastAPI, count kept"


def build_command(name, port):
    bin_folder = Path(sys.executable).parent
    if name in SHOPS:
        web = (ROOT / "Procfile").read_text().partition("web: ")[2].splitlines()[0]
        # In the shop's process group: it stops with the shop, and its processor time counts.
        redis = f"redis-server --port {port + 1} --bind 127.0.0.1 --save '' & "
        return ["sh", "-c", redis + web if name == REDIS else web]
    if name == BARE:
        return [
            *(bin_folder / "granian", "--interface", "wsgi", "--workers", WORKERS),
            *("--blocking-threads", "1", "--no-ws", "--log-level", "warning"),
            *("--host", "127.0.0.1", "--port", str(port), "benchmarks.peers.bare:application"),
        ]
    if name == PLAIN:
        return [
            *(bin_folder / "gunicorn", "benchmarks.peers.plain.wsgi", "--workers", WORKERS),
            *("--bind", f"127.0.0.1:{port}", "--no-control-socket", "--log-level", "warning"),
        ]
    return [
        *(bin_folder / "uvicorn", "benchmarks.peers.fast.main:app", "--workers", WORKERS),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--no-access-log", "--log-level", "warning"),
    ]


def build_environment(name, port):
    if name == FASTAPI_COUNT:
        return {"COUNT": "kept"}
    if name not in SHOPS:
        return {}
    return {
        **PRODUCTION,
        "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(port),
        "WEB_CONCURRENCY": WORKERS,
        **({"CACHE_URL": f"redis://127.0.0.1:{port + 1}/0"} if name == REDIS else {}),
        **({"BLOCKING_THREADS": str(THREADS[name])} if name in THREADS else {}),
    }


def free_port():
    """Return a port that is free, as is the next one."""
    while True:
        with socket.socket() as probe, socket.socket() as following, suppress(OSError):
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            following.bind(("127.0.0.1", port + 1))
            return port


class Server:
    def __init__(self, name, database, folder):
        self.name = name
        self.database = database
        self.folder = Path(folder)
        self.log = self.folder / f"{name}.log"

    def start(self):
        self.port = free_port()
        environment = {
            "DATABASE_URL": self.database.url,
            "ANSWERS": str(self.folder / "answers.json"),
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                build_command(self.name, self.port),
                cwd=ROOT,
                env=os.environ | environment | build_environment(self.name, self.port),
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def wait(self):
        """Return once the server responds."""
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/api/products/")
                connection.getresponse().read()
                return
            except (OSError, HTTPException):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = self.log.read_text()[-3000:]
                    raise Failure(f"{self.name} does not start:\n{log}") from None
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

    def send(self, request):
        """Return status, headers and body of the response."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = request.content() or None
            connection.request(request.method, request.path, content, request.all_headers())
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()


@contextmanager
def run_servers(names, template, copy, folder):
    """Run all these servers at once, each on a fresh copy of the template."""
    with ExitStack() as stack:
        servers = []
        for index, name in enumerate(names):
            database = copy(f"copy_{index}")
            database.create(template)
            stack.callback(database.drop)
            if name not in SHOPS:
                database.write_placed_events()
            if name == NO_FEED or name not in SHOPS:
                database.drop_feed()
            servers.append(Server(name, database, folder))
        for server in servers:
            server.start()
            stack.callback(server.stop)
            if server.name in SHOPS:  # one after the other, as each collects static files first
                server.wait()
        for server in servers:
            server.wait()
        yield servers
