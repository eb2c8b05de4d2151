"""Loading a server for some seconds, and what that cost whom."""

import json
import os
import resource
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from benchmarks.processes import cpu_of_tree

CONNECTIONS = 16


class Failure(Exception):
    """What makes the whole run worth nothing."""


def require_wrk():
    if not shutil.which("wrk"):
        raise Failure("The load generator is missing: apt-get install wrk (Debian has 4.1).")


def wrk(server, requests, seconds, folder, count_304=False):
    """Load an HTTP server over 16 connections; return what came of it."""
    file = Path(folder) / "requests"
    file.write_text("\0".join(each.raw() for each in requests))
    lua = Path(__file__).with_name("load.lua")
    return timed(
        [
            *("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--timeout", "10s"),
            *("--duration", f"{seconds}s", "--script", str(lua)),
            *(f"http://127.0.0.1:{server.port}", "--", str(file), uuid.uuid4().hex),
            *(["304"] if count_304 else []),
        ],
        server.process.pid,
        server.database,
    )


def raw_sql(way, database, seconds):
    """Have the peers without HTTP place orders: their own time counts as the server's."""
    command = [sys.executable, "-m", "benchmarks.peers.raw_sql", way, str(seconds)]
    measured = timed(command, None, database, os.environ | {"DATABASE_URL": database.url})
    cpu = measured["cpu_ms"]
    cpu["server"], cpu["generator"] = cpu["generator"], 0.0
    return measured


def timed(command, server, database, environment=None):
    """Run the generator; add requests per second, and milliseconds of processor per request."""
    before = cpu(server, database)
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parent.parent
    )
    if done.returncode:
        raise Failure(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    spent = [b - a for a, b in zip(before, cpu(server, database), strict=True)]
    measured = json.loads(done.stdout.splitlines()[-1])
    requests = measured["requests"] or 1
    measured["rps"] = measured["requests"] / measured["seconds"]
    names = ("server", "database", "generator")
    measured["cpu_ms"] = {
        name: 1000 * seconds / requests for name, seconds in zip(names, spent, strict=True)
    }
    return measured


def cpu(server, database):
    """Seconds that the server, the database and all generators so far have worked."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        cpu_of_tree(server) if server else 0.0,
        database.cpu(),
        children.ru_utime + children.ru_stime,
    )
