"""Measure the shop against what one would build instead (`make bench`, `make bench-quick`)."""

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
from benchmarks.same import capture_responses, check_error_responses, check_same
from benchmarks.servers import (
    BARE,
    EVERYTHING,
    FASTAPI,
    FASTAPI_COUNT,
    NO_FEED,
    PLAIN,
    REDIS,
    SHOP,
    SHOPS,
    THREADS,
    WORKERS,
    run_servers,
)

RESULTS = Path(__file__).parent / "results"
REQUESTS = 2_000  # different requests in each row


@dataclass(frozen=True)
class Plan:
    products: int
    customers: int
    orders: int
    rounds: int
    seconds: int
    warm_up: int  # seconds before each measurement, not counted
    threads: bool = False  # measure the shop with 1, 2 and 4 threads
    rows: tuple = ROWS


FULL = Plan(products=10_000, customers=1_000, orders=50_000, rounds=5, seconds=3, warm_up=1)
QUICK = Plan(products=1_000, customers=100, orders=5_000, rounds=1, seconds=1, warm_up=0)


class Bench:
    """The rows on one database engine. `faults` lists what makes the run fail."""

    def __init__(self, engine, copy, plan, folder):
        self.engine, self.copy, self.plan, self.folder = engine, copy, plan, Path(folder)
        self.rows = [row for row in plan.rows if row.sqlite or engine == "PostgreSQL"]
        self.results, self.faults = {}, []
        self.template = copy("template")

    def run(self):
        self.log(f"seeding {self.plan.products:,} products, {self.plan.orders:,} orders")
        self.template.create()
        try:
            self.template.seed(self.plan.products, self.plan.customers, self.plan.orders)
            self.shop, self.database_version = self.template.shop(), self.template.version()
            if not self.plan.threads:
                self.prepare_bare_view()
            # Each row that places orders starts from the same data. Rows with one more server are
            # by themselves too: all servers at once would use up PostgreSQL's connections.
            alone = [row for row in self.rows if row.writes or row.order_client or row.everything]
            reading = [row for row in self.rows if row not in alone]
            for rows in (reading, *([row] for row in alone)):
                if rows:
                    self.measure_on_fresh_copies(rows)
        finally:
            self.template.drop()
        self.results = {row.name: self.results[row.name] for row in self.rows}

    def servers_for(self, row):
        if self.plan.threads:
            yield from (*THREADS, FASTAPI)
            return
        yield SHOP
        if row.redis and self.engine == "PostgreSQL":
            yield REDIS
        if row is PLACE:
            yield NO_FEED
        if row.everything and self.engine == "PostgreSQL":
            yield EVERYTHING
        if not row.order_client:  # the bare view places no orders
            yield BARE
        yield from (PLAIN, FASTAPI)
        if row.counts and self.engine == "PostgreSQL":
            yield FASTAPI_COUNT

    def prepare_bare_view(self):
        responses = {}
        with run_servers([SHOP], self.template, self.copy, self.folder) as [server]:
            for row in self.rows:
                responses = capture_responses(server, row, self.requests(row, server)) | responses
        (self.folder / "answers.json").write_text(json.dumps(responses))

    def measure_on_fresh_copies(self, rows):
        names = list(dict.fromkeys(name for row in rows for name in self.servers_for(row)))
        with run_servers(names, self.template, self.copy, self.folder) as servers:
            before = servers[0].database.orders()
            for row in rows:
                names = [*self.servers_for(row)]
                self.measure(row, [server for server in servers if server.name in names])
            for server in servers:
                if server.name != BARE:
                    confirmed = sum(self.count_confirmed(row, server) for row in rows)
                    server.database.check_consistency(before + confirmed)

    def count_confirmed(self, row, server):
        """Return how many orders the server confirmed while measured; in the mix, a lower bound."""
        result = self.results[row.name].get(server.name)
        if not result:
            return 0
        only_orders = row.writes and not row.counts
        return result["requests"] - result["errors"] if only_orders else result["orders"]

    def measure(self, row, servers):
        for server in servers:
            server.resume()
        check_same(row, servers, self.requests(row, servers[0]))
        if row.writes:
            check_error_responses(servers, self.shop, self.retired_id())
        for server in servers:
            server.pause()
        rounds = {server.name: [] for server in servers}
        for number in range(self.plan.rounds):
            for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                server.resume()
                result = self.measure_once(row, server, self.requests(row, servers[0]))
                rounds[server.name].append(result)
                self.log(
                    f"{row.name}, round {number + 1}, {server.name}: {result['rps']:,.0f}/s, "
                    f"p99 {result['p99']:,.1f} ms"
                )
                self.collect_faults(row, server, result)
                server.pause()
        self.results[row.name] = {name: report.summary(results) for name, results in rounds.items()}

    def measure_once(self, row, server, requests):
        if not row.order_client:
            return self.load(row, server, requests) | {"orders": 0, "orders_per_second": 0}
        with load.order_client(server, PLACE.requests(self.shop, REQUESTS)) as client:
            result = self.load(row, server, requests)
        result["errors"] += client["errors"]
        result["error_kinds"] += f"; in the orders beside: {client['error_kinds']}"
        orders = client["requests"] - client["errors"]
        return result | {"orders": orders, "orders_per_second": client["rps"]}

    def load(self, row, server, requests):
        if self.plan.warm_up:
            load.measure(server, requests, self.plan.warm_up)
        return load.measure(server, requests, self.plan.seconds, row.conditional)

    def requests(self, row, shop):
        etag = fetch_etag(shop) if row.conditional else None
        return row.requests(self.shop, REQUESTS, etag)

    def collect_faults(self, row, server, result):
        fault = f"{self.engine}, {row.name}: {server.name} "
        if not result["requests"] or row.order_client and not result["orders"]:
            self.faults.append(f"{fault}answered nothing")
        if result["errors"]:
            errors = f"made {result['errors']} errors ({result['error_kinds']})"
            self.log(f"{server.name} {errors}")
            # The peers' "database is locked" errors on SQLite are part of the result.
            if server.name in SHOPS or not (row.writes and self.engine == "SQLite"):
                self.faults.append(fault + errors)
        revalidated = result["not_modified"] > 0.9 * result["requests"]
        if row.conditional and server.name in (SHOP, BARE) and not revalidated:
            self.faults.append(f"{fault}answered only {result['not_modified']} times 304")

    def retired_id(self):
        products = "SELECT min(id) FROM products_product WHERE NOT is_active"
        return self.template.read(products)[0][0]

    def log(self, message):
        print(f"{datetime.now():%H:%M:%S} {self.engine}: {message}", flush=True)  # noqa: DTZ005


def fetch_etag(server):
    return server.send(Request("GET", "/api/products/"))[1]["ETag"]


def versions(databases):
    script = (
        "from importlib.metadata import version as v; "
        "print(*(f'{p} {v(p)}' for p in ('django', 'djangorestframework', 'granian')), sep=', ')"
    )
    packages = subprocess.check_output([ROOT / ".venv/bin/python", "-c", script], text=True).strip()
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


def parse_arguments():
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
    options = parse_arguments()
    plan = QUICK if options.quick else FULL
    rows = [row for row in ROWS if row.name in options.rows and (row.floor or not options.threads)]
    plan = replace(
        plan, threads=options.threads, rows=tuple(rows), rounds=options.rounds or plan.rounds
    )
    require_programs()
    server_url = os.environ["POSTGRES_URL"]
    began, date = time.monotonic(), datetime.now(UTC)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))  # and stop the servers
    # Not in /tmp, which may be in memory: SQLite's file belongs on a disk.
    with TemporaryDirectory(dir=RESULTS.parent, prefix="run-") as folder:
        engines = {"PostgreSQL": partial(PostgreSQL, server_url), "SQLite": partial(SQLite, folder)}
        benches = [Bench(engine, copy, plan, folder) for engine, copy in engines.items()]
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
        "databases": {bench.engine: bench.results for bench in benches},
        "faults": [fault for bench in benches for fault in bench.faults],
    }
    is_full_run = (
        not options.quick and not options.rounds and options.rows == [row.name for row in ROWS]
    )
    name = f"{date:%Y-%m-%d}{'-threads' if options.threads else ''}" if is_full_run else "quick"
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
