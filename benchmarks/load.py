"""Load a server for some seconds and measure throughput, latency and processor time."""

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
    """Makes the whole run fail."""


def require_programs():
    for program, package in (("wrk", "wrk"), ("redis-server", "redis-server")):
        if not shutil.which(program):
            raise Failure(f"{program} is missing: apt-get install {package} (Debian has it).")


def wrk(server, requests, seconds, connections=CONNECTIONS, count_304=False):
    """Return the command that sends a server these requests repeatedly and prints the result."""
    file = server.folder / f"requests-{connections}"
    file.write_text("\0".join(request.raw() for request in requests))
    return [
        *("wrk", "--threads", "1", "--connections", str(connections), "--timeout", "10s"),
        *("--duration", f"{seconds}s", "--script", str(Path(__file__).with_name("load.lua"))),
        *(f"http://127.0.0.1:{server.port}", "--", str(file), uuid.uuid4().hex),
        *(["304"] if count_304 else []),
    ]


def measure(server, requests, seconds, count_304=False):
    """Load a server over 16 connections.

    Return requests per second, latencies in milliseconds, and processor milliseconds per request.
    With an order client, these include what its orders cost the server.
    """
    before = cpu(server)
    output = subprocess.check_output(wrk(server, requests, seconds, count_304=count_304), text=True)
    cpu_seconds = [after - start for start, after in zip(before, cpu(server), strict=True)]
    result = parse_output(output)
    names = ("server", "database", "generator")
    result["cpu_ms"] = {
        name: 1000 * seconds / (result["requests"] or 1)
        for name, seconds in zip(names, cpu_seconds, strict=True)
    }
    return result


@contextmanager
def order_client(server, orders):
    """Place orders one after the other over one more connection while the block runs.

    Yields a dict, which has the result once the block has ended.
    """
    result = {}
    command = wrk(server, orders, NO_END, connections=1)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        try:
            yield result
        finally:
            client.send_signal(signal.SIGINT)  # wrk ends, and prints its summary
            output, _ = client.communicate(timeout=30)
    result.update(parse_output(output))


def parse_output(output):
    result = json.loads(output.splitlines()[-1])
    return result | {"rps": result["requests"] / result["seconds"]}


def cpu(server):
    """Return the processor seconds of the server, the database and all load generators so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        cpu_of_tree(server.process.pid),
        server.database.cpu(),
        children.ru_utime + children.ru_stime,
    )
