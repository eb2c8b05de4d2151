"""Loading a server for some seconds, and what that cost whom."""

import json
import resource
import shutil
import signal
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import cpu_of_tree

CONNECTIONS = 16
NO_END = 3600  # seconds


class Failure(Exception):
    """What makes the whole run worth nothing."""


def require_programs():
    for program, package in (("wrk", "wrk"), ("redis-server", "redis-server")):
        if not shutil.which(program):
            raise Failure(f"{program} is missing: apt-get install {package} (Debian has it).")


def wrk(server, requests, seconds, connections=CONNECTIONS, count_304=False):
    """The command that sends a server these requests, over and over, and prints the outcome."""
    file = server.folder / f"requests-{connections}"
    file.write_text("\0".join(each.raw() for each in requests))
    return [
        *("wrk", "--threads", "1", "--connections", str(connections), "--timeout", "10s"),
        *("--duration", f"{seconds}s", "--script", str(Path(__file__).with_name("load.lua"))),
        *(f"http://127.0.0.1:{server.port}", "--", str(file), uuid.uuid4().hex),
        *(["304"] if count_304 else []),
    ]


def measure(server, requests, seconds, count_304=False):
    """Load a server over 16 connections.

    Return requests per second, latencies in milliseconds, and milliseconds of processor per
    request; with an order client, those that its orders took of the server are among them.
    """
    before = cpu(server)
    output = subprocess.check_output(wrk(server, requests, seconds, count_304=count_304), text=True)
    spent = [after - start for start, after in zip(before, cpu(server), strict=True)]
    measured = outcome(output)
    names = ("server", "database", "generator")
    measured["cpu_ms"] = {
        name: 1000 * seconds / (measured["requests"] or 1)
        for name, seconds in zip(names, spent, strict=True)
    }
    return measured


@contextmanager
def order_client(server, orders):
    """Place orders over one more connection, one after the other, for as long as the block runs.

    What it yields says how many, once the block has ended.
    """
    placed = {}
    command = wrk(server, orders, NO_END, connections=1)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        try:
            yield placed
        finally:
            client.send_signal(signal.SIGINT)  # wrk ends, and prints its summary
            output, _ = client.communicate(timeout=30)
    placed.update(outcome(output))


def outcome(output):
    measured = json.loads(output.splitlines()[-1])
    return measured | {"rps": measured["requests"] / measured["seconds"]}


def cpu(server):
    """Seconds that the server, the database and all generators so far have worked."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        cpu_of_tree(server.process.pid),
        server.database.cpu(),
        children.ru_utime + children.ru_stime,
    )
