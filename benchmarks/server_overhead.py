"""What gunicorn's workers cost: `.venv/bin/python -m benchmarks.server_overhead`, with wrk.

Each serves a view that does nothing, from two processes over 16 connections, in turns.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import re_path

from benchmarks.databases import ROOT

PORT, ROUNDS, SECONDS = 8765, 3, 4
WORKERS = {
    "the shop's": ("--config", "python:shopply.gunicorn"),
    "sync": (),
    "gthread": ("--worker-class", "gthread", "--threads", "4"),
}

urlpatterns = [re_path("", lambda request: HttpResponse(b"x" * 1500))]


def processor(master):
    """Microseconds that the processes of a server have used."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    stats = [Path(f"/proc/{pid}/stat").read_text() for pid in (master, *children)]
    ticks = sum(sum(map(int, stat.rpartition(")")[2].split()[11:13])) for stat in stats)
    return ticks * 1_000_000 / os.sysconf("SC_CLK_TCK")


def measure(options):
    """Requests per second, and microseconds of processor for each."""
    command = (sys.executable, "-m", "gunicorn", "benchmarks.server_overhead", *options)
    at = ("--workers", "2", "--bind", f"127.0.0.1:{PORT}", "--log-level", "error")
    with subprocess.Popen((*command, *at, "--no-control-socket"), cwd=ROOT) as server:
        time.sleep(2)
        load = ("wrk", "-t1", "-c16", f"-d{SECONDS}s", f"http://127.0.0.1:{PORT}/")
        before = processor(server.pid)
        told = subprocess.run(load, capture_output=True, text=True, check=True).stdout
        used = processor(server.pid) - before
        server.terminate()
    count = int(re.search(r"(\d+) requests in", told)[1])
    return count / SECONDS, used / count


if __name__ == "__main__":
    for _ in range(ROUNDS):
        for name, options in WORKERS.items():
            print(f"{name:12}{{:8,.0f}} requests/s {{:6.0f}} us each".format(*measure(options)))
else:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], MIDDLEWARE=[])
    application = get_wsgi_application()
