"""The seeded database: a template, and a copy of it for each server."""

import os
import secrets
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks.load import Failure
from benchmarks.processes import cpu_of_tree, parent_pid
from benchmarks.rows import Shop

ROOT = Path(__file__).parent.parent
EXTRA_STOCK = 1_000_000  # of every product, so that none sells out while measured

# The shop's settings in all measurements. Rate limits stay at their defaults, except the anonymous
# one: here one address sends what thousands of clients would. None of the thousand seeded customers
# comes near a customer's limits.
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
    "ANONYMOUS_RATE": "1000000/m",
}

DELIVERY = (
    f"UPDATE products_product SET quantity_in_stock = quantity_in_stock + {EXTRA_STOCK}",
    "INSERT INTO products_stockadjustment (product_id, delta, reason, note, created)"
    f" SELECT id, {EXTRA_STOCK}, 'delivery', '', created FROM products_product",
)
# 4 categories, 16 below them; each product is in two of these, and has two pictures without files.
NUMBERS = (
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 16)"
)
FILE = f"{'ab/' + 'ab' * 28}' || (10000000 + 2 * product.id + n) || '{{}}.webp"
CATEGORIES_AND_PICTURES = (
    f"""
    INSERT INTO products_category (name, slug, position, is_active)
    {NUMBERS} SELECT 'Shelf ' || n, 'shelf-' || n, n, true FROM numbers WHERE n <= 4""",
    f"""
    INSERT INTO products_category (name, slug, position, is_active, parent_id)
    {NUMBERS} SELECT 'Kind ' || n, 'kind-' || n, n, true, category.id
    FROM numbers JOIN products_category AS category ON slug = 'shelf-' || (n % 4 + 1)""",
    """
    INSERT INTO products_product_categories (product_id, category_id)
    SELECT product.id, category.id FROM products_product AS product
    JOIN products_category AS category ON slug IN (
        'kind-' || (product.id % 16 + 1), 'kind-' || ((product.id + 5) % 16 + 1))""",
    f"""
    INSERT INTO products_productimage
        (product_id, file, thumbnail, alt, position, width, height)
    {NUMBERS} SELECT product.id, '{FILE.format("")}', '{FILE.format("t")}',
        'A bag from side ' || n, n, 1200, 1200
    FROM products_product AS product JOIN numbers ON n <= 2""",
    "UPDATE products_product SET image_changes = 2",
)
DISCREPANCIES = """
    SELECT
        (SELECT count(*) FROM orders_order),
        (SELECT count(*) FROM orders_order o WHERE coalesce(abs(total_price - (
            SELECT sum(line_total) FROM orders_orderitem i WHERE i.order_id = o.id)), 1) > 0.001),
        (SELECT count(*) FROM products_product p LEFT JOIN (
            SELECT product_id, sum(n) AS n FROM (
                SELECT product_id, delta AS n FROM products_stockadjustment
                UNION ALL
                SELECT product_id, -quantity FROM orders_orderitem i
                JOIN orders_order o ON o.id = i.order_id WHERE o.status <> 'cancelled'
            ) moved GROUP BY product_id
        ) books ON books.product_id = p.id WHERE quantity_in_stock <> coalesce(n, 0))"""
# Sample orders have none, as those of earlier releases; the shop then derives it from the status.
ACTIONS = """
    UPDATE orders_orderevent SET action = CASE status
        WHEN 'placed' THEN 'place' WHEN 'confirmed' THEN 'confirm' WHEN 'shipped' THEN 'ship'
        WHEN 'delivered' THEN 'deliver' ELSE 'cancel' END"""
# The shop derives the "placed" event from the order itself; its peers read it from a row, the first
# of an order's events.
PLACED_EVENTS = """
    INSERT INTO orders_orderevent (id, order_id, action, status, at, by_id, note)
    SELECT -id, id, 'place', 'placed', created, customer_id, '' FROM orders_order o
    WHERE NOT EXISTS (
        SELECT 1 FROM orders_orderevent e WHERE e.order_id = o.id AND e.status = 'placed')"""


def manage(database, *command):
    """Run the shop's `manage.py` on a database and return its output."""
    result = subprocess.run(
        [ROOT / ".venv/bin/python", "manage.py", *command],
        cwd=ROOT,
        env=os.environ | PRODUCTION | {"DATABASE_URL": database.url},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise Failure(f"manage.py {command[0]} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


class Database:
    """A copy of the seeded shop."""

    def read(self, sql):
        with closing(self.connect()) as connection:
            return connection.execute(sql).fetchall()

    def write(self, *statements):
        with closing(self.connect()) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def write_placed_events(self):
        self.write(PLACED_EVENTS)

    def seed(self, products, customers, orders):
        options = {"--products": products, "--customers": customers, "--orders": orders}
        manage(self, "collectstatic", "--noinput")
        manage(self, "migrate", "--verbosity", "0")
        manage(self, "seed_shop", *(str(part) for option in options.items() for part in option))
        self.write(*DELIVERY, *CATEGORIES_AND_PICTURES, ACTIONS)
        self.tidy()

    def start_deliveries(self, url):
        """Have mails and webhooks, sent to this URL, begin with what changes from now on.

        Not with the seeded orders, of which there are more than a run places.
        """
        script = f"""
            from changes.models import Change, Reader
            from webhooks.models import Endpoint
            for reader in Reader.objects.get(), Endpoint(url="{url}"):
                reader.move_to(Change.objects.latest_cursor())
                reader.save()"""
        manage(self, "shell", "--command", dedent(script))

    def shop(self):
        tokens = self.read(
            "SELECT key FROM authtoken_token JOIN customers_customer c ON c.id = user_id"
            " WHERE NOT is_staff ORDER BY user_id"
        )
        products = self.read("SELECT id FROM products_product WHERE is_active ORDER BY id")
        return Shop([key for (key,) in tokens], [pk for (pk,) in products])

    def orders(self):
        return self.read("SELECT count(*) FROM orders_order")[0][0]

    def check_consistency(self, expected):
        """Fail unless at least so many orders exist, all with correct totals and stock."""
        orders, wrong_totals, wrong_stocks = self.read(DISCREPANCIES)[0]
        if orders < expected or wrong_totals or wrong_stocks:
            raise Failure(
                f"{self.url}: {orders} orders where {expected} were confirmed, {wrong_totals} of "
                f"another total than their lines; the stock of {wrong_stocks} products does not "
                "add up."
            )


class PostgreSQL(Database):
    def drop_feed(self):
        """Drop the triggers of the feed of changes, which the peers do not have."""
        self.write(
            "DROP FUNCTION changes_log_product, changes_log_order, changes_log_customer CASCADE"
        )

    def __init__(self, server_url, name):
        self.name = f"shopply_bench_{name}"
        self.server_url = server_url
        self.url = urlunsplit(urlsplit(server_url)._replace(path=f"/{self.name}"))

    def connect(self):
        return psycopg.connect(self.url)

    def administer(self, *statements):
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def create(self, template=None):
        source = f" TEMPLATE {template.name}" if template else ""
        self.drop()
        self.administer(f"CREATE DATABASE {self.name}{source}")

    def drop(self):
        self.administer(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def tidy(self):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def cpu(self):
        """Return the processor time of all PostgreSQL processes, if they run on this machine."""
        with psycopg.connect(self.server_url) as connection:
            backend = connection.info.backend_pid
            try:
                postmaster = parent_pid(backend)
                if Path(f"/proc/{postmaster}/comm").read_text().strip().startswith("postgres"):
                    return cpu_of_tree(postmaster)
            except (KeyError, OSError):
                pass
        return float("nan")

    def version(self):
        return "PostgreSQL " + self.read("SHOW server_version")[0][0]


class SQLite(Database):
    def drop_feed(self):
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'changes_%'"
        self.write(*(f"DROP TRIGGER {name}" for (name,) in self.read(names)))

    def __init__(self, folder, name):
        self.file = Path(folder) / f"{name}.sqlite3"
        self.url = f"sqlite:///{self.file}"

    def connect(self):
        return sqlite3.connect(self.file, timeout=20)

    def create(self, template=None):
        self.drop()
        if template:
            shutil.copy(template.file, self.file)

    def drop(self):
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)

    def tidy(self):
        with closing(self.connect()) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def cpu(self):
        return 0.0  # it is part of the server

    def version(self):
        return f"SQLite {sqlite3.sqlite_version}"
