"""Measures the shop beside what one would build instead (`make bench`, `make bench-quick`)."""

import argparse
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks import load, report
from benchmarks.databases import ROOT, PostgreSQL, SQLite
from benchmarks.load import CONNECTIONS, Failure, require_programs
from benchmarks.rows import PLACE, ROWS, Request
from benchmarks.same import capture, check_refusals, check_same
from benchmarks.servers import (
    BARE,
    FASTAPI,
    FASTAPI_COUNT,
    PLAIN,
    REDIS,
    SHOP,
    SHOPS,
    THREADS,
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
    threads: bool = False  # whether the shop is measured with 1, 2 and 4 threads
    rows: tuple = ROWS


FULL = Plan(products=10_000, customers=1_000, orders=50_000, rounds=5, seconds=3, warm_up=1)
QUICK = Plan(products=1_000, customers=100, orders=5_000, rounds=1, seconds=1, warm_up=0)


class Bench:
    """The rows on one kind of database. `faults` has what must make the run fail."""

    def __init__(self, kind, copy, plan, folder):
        self.kind, self.copy, self.plan, self.folder = kind, copy, plan, Path(folder)
        self.rows = [row for row in plan.rows if row.sqlite or kind == "PostgreSQL"]
        self.results, self.faults = {}, []
        self.template = copy("template")

    def run(self):
        self.say(f"seeding {self.plan.products:,} products, {self.plan.orders:,} orders")
        self.template.create()
        try:
            self.template.seed(self.plan.products, self.plan.customers, self.plan.orders)
            self.shop, self.database_version = self.template.shop(), self.template.version()
            if not self.plan.threads:
                self.prepare_bare_view()
            writing = [row for row in self.rows if row.writes or row.order_client]
            reading = [row for row in self.rows if row not in writing]
            # Each row in which orders are placed begins with the same data.
            for rows in (reading, *([row] for row in writing)):
                if rows:
                    self.measure_on_fresh_copies(rows)
        finally:
            self.template.drop()
        self.results = {row.name: self.results[row.name] for row in self.rows}

    def servers_of(self, row):
        if self.plan.threads:
            yield from (*THREADS, FASTAPI)
            return
        yield SHOP
        if row.redis and self.kind == "PostgreSQL":
            yield REDIS
        if not row.order_client:  # it places no orders
            yield BARE
        yield from (PLAIN, FASTAPI)
        if row.counts and self.kind == "PostgreSQL":
            yield FASTAPI_COUNT

    def prepare_bare_view(self):
        answers = {}
        with running([SHOP], self.template, self.copy, self.folder) as [server]:
            for row in self.rows:
                answers = capture(server, row, self.requests(row, server)) | answers
        (self.folder / "answers.json").write_text(json.dumps(answers))

    def measure_on_fresh_copies(self, rows):
        names = list(dict.fromkeys(name for row in rows for name in self.servers_of(row)))
        with running(names, self.template, self.copy, self.folder) as servers:
            before = servers[0].database.orders()
            for row in rows:
                names = [*self.servers_of(row)]
                self.measure(row, [server for server in servers if server.name in names])
            for server in servers:
                if server.name != BARE:
                    confirmed = sum(self.confirmed(row, server) for row in rows)
                    server.database.check_books(before + confirmed)

    def confirmed(self, row, server):
        """How many orders it said that it placed while it was measured; in the mix, 0 or more."""
        measured = self.results[row.name].get(server.name)
        if not measured:
            return 0
        only_orders = row.writes and not row.counts
        return measured["requests"] - measured["errors"] if only_orders else measured["orders"]

    def measure(self, row, servers):
        check_same(row, servers, self.requests(row, servers[0]))
        if row.writes:
            check_refusals(servers, self.shop, self.retired())
        rounds = {server.name: [] for server in servers}
        for number in range(self.plan.rounds):
            for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                measured = self.measure_once(row, server, self.requests(row, servers[0]))
                rounds[server.name].append(measured)
                self.say(
                    f"{row.name}, round {number + 1}, {server.name}: {measured['rps']:,.0f}/s, "
                    f"p99 {measured['p99']:,.1f} ms"
                )
                self.look_for_faults(row, server, measured)
        self.results[row.name] = {name: report.summary(each) for name, each in rounds.items()}

    def measure_once(self, row, server, requests):
        if not row.order_client:
            return self.load(row, server, requests) | {"orders": 0, "orders_per_second": 0}
        with load.order_client(server, PLACE.requests(self.shop, REQUESTS)) as client:
            measured = self.load(row, server, requests)
        measured["errors"] += client["errors"]
        measured["error_kinds"] += f"; in the orders beside: {client['error_kinds']}"
        orders = client["requests"] - client["errors"]
        return measured | {"orders": orders, "orders_per_second": client["rps"]}

    def load(self, row, server, requests):
        if self.plan.warm_up:
            load.measure(server, requests, self.plan.warm_up)
        return load.measure(server, requests, self.plan.seconds, row.conditional)

    def requests(self, row, shop):
        etag = etag_of(shop) if row.conditional else None
        return row.requests(self.shop, REQUESTS, etag)

    def look_for_faults(self, row, server, measured):
        fault = f"{self.kind}, {row.name}: {server.name} "
        if not measured["requests"] or row.order_client and not measured["orders"]:
            self.faults.append(f"{fault}answered nothing")
        if measured["errors"]:
            errors = f"made {measured['errors']} errors ({measured['error_kinds']})"
            self.say(f"{server.name} {errors}")
            # That SQLite is busy for the peers is part of what is measured.
            if server.name in SHOPS or not (row.writes and self.kind == "SQLite"):
                self.faults.append(fault + errors)
        revalidated = measured["not_modified"] > 0.9 * measured["requests"]
        if row.conditional and server.name in (SHOP, BARE) and not revalidated:
            self.faults.append(f"{fault}answered only {measured['not_modified']} times 304")

    def retired(self):
        products = "SELECT min(id) FROM products_product WHERE NOT is_active"
        return self.template.read(products)[0][0]

    def say(self, sentence):
        print(f"{datetime.now():%H:%M:%S} {self.kind}: {sentence}", flush=True)  # noqa: DTZ005


def etag_of(server):
    return server.send(Request("GET", "/api/products/"))[1]["ETag"]


def versions(databases):
    shop = (
        "from importlib.metadata import version as v; "
        "print(*(f'{p} {v(p)}' for p in ('django', 'djangorestframework', 'granian')), sep=', ')"
    )
    packages = subprocess.check_output([ROOT / ".venv/bin/python", "-c", shop], text=True).strip()
    commit = subprocess.check_output(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], text=True
    )
    peers = ("fastapi", "sqlalchemy", "pydantic", "uvicorn", "asyncpg", "django")
    peers += ("djangorestframework", "gunicorn", "granian", "psycopg")
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {', '.join(databases)}",
        "the shop": f"commit {commit.strip()}, {packages}",
        "peers": ", ".join(f"{name} {version(name)}" for name in peers),
    }


def arguments():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether all works; not for figures")
    parser.add_argument(
        "--threads",
        action="store_true",
        help="the shop with 1, 2 and 4 threads, beside FastAPI, in the rows that have a floor",
    )
    names = [row.name for row in ROWS]
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of 5")
    return parser.parse_args()


def main():
    chosen = arguments()
    plan = QUICK if chosen.quick else FULL
    rows = [row for row in ROWS if row.name in chosen.rows and (row.floor or not chosen.threads)]
    plan = replace(
        plan, threads=chosen.threads, rows=tuple(rows), rounds=chosen.rounds or plan.rounds
    )
    require_programs()
    server_url = os.environ["POSTGRES_URL"]
    began, date = time.monotonic(), datetime.now(UTC)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))  # and end the servers
    # Not in /tmp, which may be memory: SQLite's file belongs on a disk.
    with TemporaryDirectory(dir=RESULTS.parent, prefix="run-") as folder:
        kinds = {"PostgreSQL": partial(PostgreSQL, server_url), "SQLite": partial(SQLite, folder)}
        benches = [Bench(kind, copy, plan, folder) for kind, copy in kinds.items()]
        benches = [bench for bench in benches if bench.rows]
        for bench in benches:
            bench.run()
    results = {
        "date": f"{date:%Y-%m-%d %H:%M} UTC",
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "setting": f"{WORKERS} worker processes, {CONNECTIONS} connections, {plan.products:,} "
        f"products, {plan.orders:,} orders of 3 lines; medians of {plan.rounds} interleaved rounds "
        f"of {plan.seconds} s.",
        "versions": versions(bench.database_version for bench in benches),
        "databases": {bench.kind: bench.results for bench in benches},
        "faults": [fault for bench in benches for fault in bench.faults],
    }
    whole = not chosen.quick and not chosen.rounds and chosen.rows == [row.name for row in ROWS]
    name = f"{date:%Y-%m-%d}{'-threads' if chosen.threads else ''}" if whole else "quick"
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
