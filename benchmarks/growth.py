"""Measures what requests cost in ever larger shops (`make growth`): the curve should be flat."""

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

from benchmarks.curves import draw
from benchmarks.databases import ROOT, PostgreSQL, SQLite, manage

RESULTS = Path(__file__).parent / "results"
SIZES = (1_000, 10_000, 100_000, 1_000_000)  # products; of orders there are twice as many
CUSTOMERS = 20  # so that each has more orders than fit a page, in every shop
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
ROUNDS = 5  # in turns, so that what else the machine does is shared by all sizes
DRAWN = (
    *("first page", "middle page", "last page", "search that finds 1 in 20"),
    *("at a price or more", "in stock", "in stock, and a search", "own orders"),
    *("all orders, for staff", "middle page, after an edit"),
    *("search that finds 1 in 20, after an edit", "manage.py verify_stock"),
)

# One line and one event each, and the deliveries that have the books add up.
ORDERS = (
    """
    INSERT INTO orders_order (id, customer_id, status, total_price, currency, shipping_address,
        fingerprint, created, modified)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {orders})
    SELECT n, first + n % {customers}, 'placed', 10, 'EUR', '{address}', '', '2026-01-01 08:00:00',
        '2026-01-01 08:00:00'
    FROM numbers, (SELECT min(id) AS first FROM customers_customer WHERE NOT is_staff) AS customers
    """,
    """
    INSERT INTO orders_orderitem (order_id, product_id, name, sku, unit_price, quantity, line_total)
    SELECT o.id, p.id, p.name, p.sku, 10, 1, 10
    FROM orders_order o JOIN products_product p ON p.id = 1 + o.id % {products}
    """,
    """
    INSERT INTO orders_orderevent (order_id, status, at, by_id, note)
    SELECT id, 'placed', created, customer_id, '' FROM orders_order
    """,
    """
    INSERT INTO products_stockadjustment (product_id, delta, reason, note, created)
    SELECT product_id, count(*), 'delivery', '', '2026-01-01 08:00:00'
    FROM orders_orderitem GROUP BY product_id
    """,
)


class Shops:
    """A shop of each size on one kind of database, measured in turns."""

    def __init__(self, kind, sizes):
        self.kind, self.databases = kind, sizes
        self.took = {size: {} for size in sizes}  # {row: [milliseconds]}
        self.memory = {size: [] for size in sizes}

    def run(self):
        try:
            for size, database in self.databases.items():
                self.say(f"seeding {size:,} products and {2 * size:,} orders")
                seed(database, size)
            for number in range(ROUNDS):
                for size in self.databases:
                    self.say(f"round {number + 1}, {size:,} products")
                    self.measure(size)
            return self.results()
        finally:
            for database in self.databases.values():
                database.drop()

    def measure(self, size):
        database = self.databases[size]
        lines = in_the_shop(database, "-m", "benchmarks.growth_rows", str(size)).splitlines()
        told = json.loads(lines[-1])  # after those of the log
        self.memory[size].append(told["memory"])
        for row, milliseconds in told["rows"].items():
            self.took[size].setdefault(row, []).extend(milliseconds)

    def results(self):
        first = next(iter(self.databases))
        rows = {
            row: {size: round(median(self.took[size][row]), 3) for size in self.databases}
            for row in self.took[first]
        }
        return rows, {size: round(median(mb)) for size, mb in self.memory.items()}

    def say(self, sentence):
        print(f"{datetime.now():%H:%M:%S} {self.kind}: {sentence}", flush=True)  # noqa: DTZ005


def seed(database, size):
    database.create()
    manage(database, "migrate", "--verbosity", "0")
    # Indexes are made of all rows at once, as for a shop that is there: a third of the time.
    manage(database, "migrate", "products", "0002", "--verbosity", "0")
    numbers = {"--products": size, "--customers": CUSTOMERS, "--orders": 0}
    manage(database, "seed_shop", *(str(each) for pair in numbers.items() for each in pair))
    manage(database, "migrate", "--verbosity", "0")
    connection = database.connect()
    for statement in ORDERS:
        address = json.dumps(dict.fromkeys(PARTS, "x"))
        numbers = {"products": size, "orders": 2 * size, "customers": CUSTOMERS}
        connection.execute(statement.format(address=address, **numbers))
    connection.commit()
    connection.execute("ANALYZE")
    connection.commit()
    connection.close()
    database.tidy()


def in_the_shop(database, *command):
    """What a Python prints that has the shop's packages, and the settings of production."""
    limits = {f"{name}_RATE": "100000000/m" for name in ("ANONYMOUS", "CUSTOMER")}
    settings = {
        **{"DATABASE_URL": database.url, "DEBUG": "false", "SECRET_KEY": "of-no-use" * 6},
        **{"ALLOWED_HOSTS": "testserver", "SECURE_SSL_REDIRECT": "false"},
        "DJANGO_SETTINGS_MODULE": "shopply.settings",
    }
    return subprocess.check_output(
        [ROOT / ".venv/bin/python", "-W", "ignore", *command],
        cwd=ROOT,
        env=os.environ | limits | settings,
        text=True,
    )


def table(rows, memory):
    sizes = list(memory)
    ratio = f"{sizes[-1]:,} over {sizes[0]:,}"
    yield f"| milliseconds | {' | '.join(f'{size:,}' for size in sizes)} | {ratio} |"
    yield "|---|" + "---:|" * (len(sizes) + 1)
    for name, cells in [*rows.items(), ("memory of the process, MB", memory)]:
        figures = (f"{cells[size]:,.2f}" if name in rows else f"{cells[size]}" for size in sizes)
        yield f"| {name} | {' | '.join(figures)} | {cells[sizes[-1]] / cells[sizes[0]]:,.2f} |"


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 100,000 products, not stored")
    quick = parser.parse_args().quick
    sizes = SIZES[:-1] if quick else SIZES
    began, server = time.monotonic(), os.environ["POSTGRES_URL"]
    RESULTS.mkdir(exist_ok=True)
    # Not in /tmp, which may be memory: SQLite's file belongs on a disk.
    with TemporaryDirectory(dir=RESULTS.parent, prefix="run-") as folder:
        measured = {
            "PostgreSQL": Shops(
                "PostgreSQL", {size: PostgreSQL(server, f"growth_{size}") for size in sizes}
            ).run(),
            "SQLite": Shops("SQLite", {size: SQLite(folder, str(size)) for size in sizes}).run(),
        }
    lines = [
        f"# What requests cost as the shop grows, {datetime.now(UTC):%Y-%m-%d}",
        *("", f"`make growth`, in one process, without a server; medians. {platform.system()} on"),
        f"{os.cpu_count()} cores, Python {platform.python_version()}.",
    ]
    for kind, (rows, memory) in measured.items():
        lines += ["", f"## {kind}", "", *table(rows, memory)]
    print("\n".join(lines))
    print(f"{time.monotonic() - began:.0f} s")
    if quick:
        return
    (RESULTS / "growth.md").write_text("\n".join(lines) + "\n")
    figures = {
        kind: {"milliseconds": rows, "megabytes": memory}
        for kind, (rows, memory) in measured.items()
    }
    (RESULTS / "growth.json").write_text(json.dumps(figures, indent=1) + "\n")
    for kind, (rows, _) in measured.items():
        (RESULTS / f"growth-{kind.lower()}.svg").write_text(
            draw(f"On {kind}", {name: rows[name] for name in DRAWN})
        )


if __name__ == "__main__":
    main()
