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
EVERYTHING = "the shop, with mails and webhooks"
THREADS = {"the shop, 1 thread": 1, "the shop, 2 threads": 2, "the shop, 4 threads": 4}
SHOPS = (SHOP, REDIS, NO_FEED, EVERYTHING, *THREADS)
BARE, PLAIN = "bare Django", "plain DRF"
FASTAPI, FASTAPI_COUNT = "FastAPI", "FastAPI, count kept"


def build_command(name, port):
    bin_folder = Path(sys.executable).parent
    if name in SHOPS:
        lines = (line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
        commands = dict(lines)
        # In the shop's process group: they stop with the shop, and their processor time counts.
        beside = {
            REDIS: f"redis-server --port {port + 1} --bind 127.0.0.1 --save '' & ",
            EVERYTHING: f"python -m benchmarks.sink {port + 1} & ({commands['worker']}) & ",
        }
        # Of what comes before the server, `Database.seed` collected the static files.
        return ["sh", "-c", beside.get(name, "") + commands["web"].rpartition(" && ")[2]]
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
        **({"EMAIL_URL": f"smtp://127.0.0.1:{port + 1}"} if name == EVERYTHING else {}),
        **({"WEBHOOK_ALLOWED_HOSTS": "127.0.0.1"} if name == EVERYTHING else {}),
        **({"BLOCKING_THREADS": str(THREADS[name])} if name in THREADS else {}),
    }


def free_port():
    """Return a port that is free, as are the next two."""
    while True:
        with ExitStack() as stack, suppress(OSError):
            probe, *following = [stack.enter_context(socket.socket()) for _ in range(3)]
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            for number, other in enumerate(following, start=1):
                other.bind(("127.0.0.1", port + number))
            return port


class Server:
    def __init__(self, name, database, folder):
        self.name = name
        self.database = database
        self.folder = Path(folder)
        self.log = self.folder / f"{name}.log"

    def start(self):
        self.port = free_port()
        if self.name == EVERYTHING:
            self.database.start_deliveries(f"http://127.0.0.1:{self.port + 2}/")
        environment = {
            "DATABASE_URL": self.database.url,
            "ANSWERS": str(self.folder / "answers.json"),
            # The worker removes files that no row of its database names.
            "MEDIA_ROOT": str(self.folder / "media"),
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
        self.resume()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=15)
        with suppress(ProcessLookupError):  # also what runs beside it, and needs the database
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def pause(self):
        """Stop what goes on by itself, so that it slows no other server."""
        if self.name == EVERYTHING:
            os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self.process.pid, signal.SIGCONT)

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
        for server in servers:
            server.wait()
        yield servers
