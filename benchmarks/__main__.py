"""Measures the shop beside what one would build instead (`make bench`, `make bench-quick`)."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psycopg

from benchmarks import report
from benchmarks.databases import ROOT, PostgreSQL, SQLite, manage
from benchmarks.load import CONNECTIONS, Failure, require_wrk
from benchmarks.rows import ROWS, Asked
from benchmarks.same import capture, check_refusals, check_same
from benchmarks.servers import (
    BARE,
    FASTAPI,
    FASTAPI_COUNT,
    FIVE,
    ONE,
    PLAIN,
    SHOP,
    WORKERS,
    running,
)

RESULTS = Path(__file__).parent / "results"
REQUESTS = 2_000  # different ones in each row


@dataclass(frozen=True)
class Plan:
    products: int
    customers: int
    orders: int
    rounds: int
    seconds: int
    warm_up: int  # seconds before each measurement, dropped


FULL = Plan(products=10_000, customers=1_000, orders=50_000, rounds=5, seconds=3, warm_up=1)
QUICK = Plan(products=1_000, customers=100, orders=5_000, rounds=1, seconds=1, warm_up=0)


class Bench:
    """The rows on one kind of database. `faults` has what must make the run fail."""

    def __init__(self, kind, copy, plan, folder):
        self.kind, self.copy, self.plan, self.folder = kind, copy, plan, Path(folder)
        self.rows = [row for row in ROWS if row.sqlite or kind == "PostgreSQL"]
        self.results, self.faults = {}, []
        self.template = copy("template")

    def run(self):
        self.say(f"seeding {self.plan.products:,} products, {self.plan.orders:,} orders")
        self.template.create()
        try:
            self.template.seed(self.plan.products, self.plan.customers, self.plan.orders)
            self.shop, self.version = self.template.shop(), self.template.version()
            self.prepare_bare_view()
            reading = [row for row in self.rows if not row.writes]
            writing = [row for row in self.rows if row.writes]
            # Each row that writes begins with the same data, as the first does after only reading.
            for rows in ([*reading, writing[0]], *([row] for row in writing[1:])):
                self.measure_on_fresh_copies(rows)
            if self.kind == "PostgreSQL":
                self.time_verify_stock()
        finally:
            self.template.drop()
        self.results = {row.name: self.results[row.name] for row in self.rows} | self.results

    def servers_of(self, row):
        yield from (SHOP, BARE, PLAIN, FASTAPI)
        if row.counts and self.kind == "PostgreSQL":
            yield FASTAPI_COUNT
        if row.raw_sql and self.kind == "PostgreSQL":
            yield from (FIVE, ONE)

    def prepare_bare_view(self):
        answers = {}
        with running([SHOP], self.template, self.copy, self.folder) as [server]:
            for row in self.rows:
                etag = etag_of(server) if row.conditional else None
                answers = capture(server, row, row.requests(self.shop, REQUESTS, etag)) | answers
        (self.folder / "answers.json").write_text(json.dumps(answers))

    def measure_on_fresh_copies(self, rows):
        names = list(dict.fromkeys(name for row in rows for name in self.servers_of(row)))
        with running(names, self.template, self.copy, self.folder) as servers:
            before = servers[0].database.orders()
            for row in rows:
                taking_part = [each for each in servers if each.name in self.servers_of(row)]
                self.measure(row, taking_part)
            for server in servers:
                if server.name != BARE:
                    confirmed = self.confirmed(rows[-1], server)
                    server.database.check_books(before + confirmed)

    def confirmed(self, row, server):
        """How many orders it said that it placed while it was measured; in the mix, 0 or more."""
        told = self.results[row.name].get(server.name)
        return told["requests"] - told["errors"] if told and not row.counts else 0

    def measure(self, row, servers):
        shop = servers[0]
        if row.conditional and not etag_of(shop):
            self.results[row.name] = {"unsupported": "not supported: the shop sends no ETag"}
            self.say(f"{row.name}: not supported, the shop sends no ETag")
            return
        check_same(row, servers, self.requests(row, shop))
        if row.raw_sql:
            check_refusals(servers, self.shop, self.retired())
        rounds = {server.name: [] for server in servers}
        for number in range(self.plan.rounds):
            for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                requests = self.requests(row, shop)
                if self.plan.warm_up:
                    server.load(requests, self.plan.warm_up)
                told = server.load(requests, self.plan.seconds, row.conditional)
                rounds[server.name].append(told)
                self.say(
                    f"{row.name}, round {number + 1}, {server.name}: {told['rps']:,.0f}/s, "
                    f"p99 {told['p99']:,.1f} ms"
                )
                self.look_for_faults(row, server, told)
        self.results[row.name] = {name: report.summary(told) for name, told in rounds.items()}

    def requests(self, row, shop):
        etag = etag_of(shop) if row.conditional else None
        return row.requests(self.shop, REQUESTS, etag)

    def look_for_faults(self, row, server, told):
        fault = f"{self.kind}, {row.name}: {server.name} "
        if not told["requests"]:
            self.faults.append(f"{fault}answered nothing")
        if told["errors"]:
            self.say(f"{server.name} made {told['errors']} errors: {told.get('told')}")
            # That SQLite is busy for the peers is part of what is measured.
            if server.name == SHOP or not (row.writes and self.kind == "SQLite"):
                self.faults.append(f"{fault}made {told['errors']} errors ({told.get('told')})")
        revalidated = told["not_modified"] > 0.9 * told["requests"]
        if row.conditional and server.name in (SHOP, BARE) and not revalidated:
            self.faults.append(f"{fault}answered only {told['not_modified']} times 304")

    def retired(self):
        products = "SELECT min(id) FROM products_product WHERE NOT is_active"
        return self.template.read(products)[0][0]

    def time_verify_stock(self):
        seconds = []
        for _ in range(self.plan.rounds):
            began = time.perf_counter()
            manage(self.template, "verify_stock")
            seconds.append(time.perf_counter() - began)
        self.results["manage.py verify_stock"] = {"seconds": round(median(seconds), 2)}

    def say(self, sentence):
        print(f"{datetime.now():%H:%M:%S} {self.kind}: {sentence}", flush=True)  # noqa: DTZ005


def etag_of(server):
    return server.ask(Asked("GET", "/api/products/"))[1]["ETag"]


def versions(databases):
    shop = (
        "from importlib.metadata import version as v; print(v('django'), v('djangorestframework'))"
    )
    django, drf = subprocess.check_output(
        [ROOT / ".venv/bin/python", "-c", shop], text=True
    ).split()
    commit = subprocess.check_output(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True
    )
    peers = ("fastapi", "sqlalchemy", "pydantic", "uvicorn", "asyncpg", "django")
    peers += ("djangorestframework", "gunicorn", "granian", "psycopg")
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {', '.join(databases)}",
        "the shop": f"commit {commit.strip()}, django {django}, djangorestframework {drf}",
        "peers": ", ".join(f"{name} {version(name)}" for name in peers),
    }


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether all works; not for figures")
    quick = parser.parse_args().quick
    plan = QUICK if quick else FULL
    require_wrk()
    server_url = os.environ["POSTGRES_URL"]
    began, date = time.monotonic(), datetime.now(UTC)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))  # and end the servers
    # Not in /tmp, which may be memory: SQLite's file belongs on a disk.
    with TemporaryDirectory(dir=RESULTS.parent, prefix="run-") as folder:
        benches = [
            Bench("PostgreSQL", partial(PostgreSQL, server_url), plan, folder),
            Bench("SQLite", partial(SQLite, folder), plan, folder),
        ]
        for bench in benches:
            bench.run()
    results = {
        "date": f"{date:%Y-%m-%d %H:%M} UTC",
        "command": "make bench-quick" if quick else "make bench",
        "setting": f"{WORKERS} worker processes, {CONNECTIONS} connections, {plan.products:,} "
        f"products, {plan.orders:,} orders of 3 lines; medians of {plan.rounds} interleaved rounds "
        f"of {plan.seconds} s.",
        "versions": versions(bench.version for bench in benches),
        "databases": {bench.kind: bench.results for bench in benches},
        "ratios": {
            bench.kind: {name: report.ratios(row) for name, row in bench.results.items()}
            for bench in benches
        },
        "faults": [fault for bench in benches for fault in bench.faults],
    }
    name = "quick" if quick else f"{date:%Y-%m-%d}"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(report.markdown(results))
    print(report.markdown(results))
    print(f"{time.monotonic() - began:.0f} s; stored in {RESULTS.relative_to(ROOT)}/{name}.*")
    if results["faults"]:
        raise Failure("\n".join(results["faults"]))


if __name__ == "__main__":
    try:
        main()
    except (Failure, psycopg.OperationalError) as failure:
        sys.exit(f"FAILED: {failure}")
