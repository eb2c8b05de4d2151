"""Measure what requests cost as the shop grows (`make growth`): the curve should be flat."""

import argparse
import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.databases import PRODUCTION, ROOT, PostgreSQL, SQLite, manage

RESULTS = Path(__file__).parent / "results"
SIZES = (1_000, 10_000, 100_000, 1_000_000)  # products; there are twice as many orders
SQLITE_SIZES = SIZES[:2]  # SQLite is for trying the shop
CUSTOMERS = 20  # so few that each has more than a page of orders in every shop
PARTS = (
    "name",
    "contact_number",
    "street_1",
    "street_2",
    "city",
    "state",
    "postal_code",
    "country",
)
ROUNDS = 5  # interleaved, so that other load on the machine affects all sizes alike
MEMORY = "memory of the process, MB"
# Maximum cost in the largest shop relative to the smallest, on PostgreSQL.
LIMITS = {
    "first page": 1.5,
    "page 100": 2,
    "search that finds 1": 5,
    "search that finds 1 in 20": 5,
    "own orders": 1.2,
    MEMORY: 1.1,
}
ADMIN_LIMIT = 300  # milliseconds, of a page of the admin in the largest shop on PostgreSQL

# When the order n was placed: in the year that ends now.
PLACED = {
    PostgreSQL: "now() - (1 - n / {orders}.0) * interval '365 days'",
    SQLite: "datetime('now', ((n / {orders}.0 - 1) * 365) || ' days')",
}
# Orders of one item, and the deliveries that balance the stock ledger.
ORDERS = (
    """
    INSERT INTO orders_order (id, customer_id, status, total_price, currency, shipping_address,
        fingerprint, created, modified)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {orders})
    SELECT n, first + n % {customers},
        CASE n % 33 WHEN 0 THEN 'placed' WHEN 1 THEN 'confirmed' ELSE 'delivered' END,
        10, 'EUR', '{address}', '', {placed}, {placed}
    FROM numbers, (SELECT min(id) AS first FROM customers_customer WHERE NOT is_staff) AS customers
    """,
    """
    INSERT INTO orders_orderitem (order_id, product_id, name, sku, unit_price, quantity, line_total)
    SELECT o.id, p.id, p.name, p.sku, 10, 1, 10
    FROM orders_order o JOIN products_product p ON p.id = 1 + o.id % {products}
    """,
    """
    INSERT INTO products_stockadjustment (product_id, delta, reason, note, created)
    SELECT product_id, count(*), 'delivery', '', '2026-01-01 08:00:00'
    FROM orders_orderitem GROUP BY product_id
    """,
)


class Shops:
    """A shop of each size on one database engine, measured in turns."""

    def __init__(self, engine, databases):
        self.engine, self.databases = engine, databases  # {size: database}
        self.samples = {size: {} for size in databases}  # {row: [milliseconds, or megabytes]}

    def run(self):
        """Return the medians: `{row: {size: milliseconds, or megabytes}}`"""
        try:
            for size, database in self.databases.items():
                self.log(f"seeding {size:,} products and {2 * size:,} orders")
                seed(database, size)
            for number in range(ROUNDS):
                for size in self.databases:
                    self.log(f"round {number + 1}, {size:,} products")
                    self.measure(size)
        finally:
            for database in self.databases.values():
                database.drop()
        rows = next(iter(self.samples.values()))
        return {
            row: {size: median(cells[row]) for size, cells in self.samples.items()} for row in rows
        }

    def measure(self, size):
        output = run_in_shop(self.databases[size], "-m", "benchmarks.growth_rows", str(size))
        result = json.loads(output.splitlines()[-1])  # after the log lines
        for row, figures in (result["rows"] | {MEMORY: [result["memory"]]}).items():
            self.samples[size].setdefault(row, []).extend(figures)

    def log(self, message):
        print(f"{datetime.now():%H:%M:%S} {self.engine}: {message}", flush=True)  # noqa: DTZ005


def seed(database, size):
    database.create()
    manage(database, "migrate", "--verbosity", "0")
    options = {"--products": size, "--customers": CUSTOMERS, "--orders": 0}
    manage(database, "seed_shop", *(str(part) for option in options.items() for part in option))
    address = json.dumps(dict.fromkeys(PARTS, "x"))
    numbers = {"products": size, "orders": 2 * size, "customers": CUSTOMERS}
    placed = PLACED[type(database)].format(**numbers)
    statements = (sql.format(address=address, placed=placed, **numbers) for sql in ORDERS)
    # Without statistics, PostgreSQL would read all items for each thousand orders to index.
    database.write(*statements, "ANALYZE")
    manage(database, "index_orders")
    database.tidy()


def run_in_shop(database, *command):
    """Run Python with the shop's packages and production settings; return its output."""
    settings = PRODUCTION | {
        "DATABASE_URL": database.url,
        "DJANGO_SETTINGS_MODULE": "shopply.settings",
    }
    return subprocess.check_output(
        [ROOT / ".venv/bin/python", "-W", "ignore", *command],
        cwd=ROOT,
        env=os.environ | settings,
        text=True,
    )


def table(rows, limits):
    sizes = list(next(iter(rows.values())))
    ratio = f"{sizes[-1]:,} over {sizes[0]:,}"
    columns = [*(f"{size:,}" for size in sizes), ratio, *(["at most"] if limits else [])]
    yield f"| milliseconds | {' | '.join(columns)} |"
    yield "|---|" + "---:|" * len(columns)
    for name, cells in rows.items():
        figures = [f"{cells[size]:,.2f}" for size in sizes]
        growth = cells[sizes[-1]] / cells[sizes[0]]
        figures.append(f"{growth:,.2f}")
        if name in limits:
            figures.append(verdict(growth, limits[name]))
        elif limits and name.startswith("admin"):
            figures.append(verdict(cells[sizes[-1]], ADMIN_LIMIT, " ms"))
        elif limits:
            figures.append("")
        yield f"| {name} | {' | '.join(figures)} |"


def verdict(figure, limit, unit=""):
    return f"{limit:g}{unit}, met" if figure <= limit else f"**{limit:g}{unit}, not met**"


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 100,000 products, not stored")
    quick = parser.parse_args().quick
    sizes = SIZES[:-1] if quick else SIZES
    began, server = time.monotonic(), os.environ["POSTGRES_URL"]
    # Not in /tmp, which may be in memory: SQLite's file belongs on a disk.
    with TemporaryDirectory(dir=RESULTS.parent, prefix="run-") as folder:
        postgresql = {size: PostgreSQL(server, f"growth_{size}") for size in sizes}
        sqlite = {size: SQLite(folder, str(size)) for size in SQLITE_SIZES}
        manage(postgresql[sizes[0]], "collectstatic", "--noinput")  # pages of the admin name them
        results = {
            engine: Shops(engine, databases).run()
            for engine, databases in (("PostgreSQL", postgresql), ("SQLite", sqlite))
        }
    lines = [
        f"# What requests cost as the shop grows, {datetime.now(UTC):%Y-%m-%d}",
        *("", f"`make growth`, in one process, without a server; medians. {platform.system()} on"),
        f"{os.cpu_count()} cores, Python {platform.python_version()}.",
    ]
    for engine, rows in results.items():
        lines += ["", f"## {engine}", "", *table(rows, LIMITS if engine == "PostgreSQL" else {})]
    print("\n".join(lines))
    print(f"{time.monotonic() - began:.0f} s")
    if not quick:
        (RESULTS / "growth.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
