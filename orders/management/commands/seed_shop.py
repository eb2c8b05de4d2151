import json
import random
import secrets
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from rest_framework.authtoken.models import Token

from orders.management.sample_data import (
    ACCOUNT_COLUMNS,
    PRODUCT_COLUMNS,
    account_row,
    name_sku_price,
    postal_address,
    product_row,
    stamp,
)
from orders.models import Order, OrderEvent, OrderItem
from orders.search import SearchEntry
from orders.transitions import Status
from products.models import Product, Reason, StockAdjustment

ITEMS_PER_ORDER = 3
BATCH_SIZE = 5_000
SALES_PERIOD = timedelta(days=365)

ORDER_COLUMNS = (
    *("id", "customer_id", "status", "total_price", "currency", "shipping_address"),
    *("fingerprint", "created", "modified"),
)
ITEM_COLUMNS = ("order_id", "product_id", "name", "sku", "unit_price", "quantity", "line_total")
EVENT_COLUMNS = ("order_id", "status", "at", "by_id", "note")

STATUS_HISTORIES = {  # percent of orders with this history
    (Status.PLACED,): 3,
    (Status.PLACED, Status.CONFIRMED): 3,
    (Status.PLACED, Status.CONFIRMED, Status.SHIPPED): 4,
    (Status.PLACED, Status.CANCELLED): 5,
    (Status.PLACED, Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED): 85,
}


class Command(BaseCommand):
    help = (
        "Fills the shop with realistic products, customers and orders of three items, for "
        "benchmarks and demos: the same ones every time, in the year that ends today. The accounts "
        "have no passwords, but random tokens: `python manage.py drf_create_token <name>` shows "
        "one. One more account, `clerk.<id>`, is staff."
    )

    def add_arguments(self, parser):
        parser.add_argument("--products", type=int, default=1_000, metavar="N")
        parser.add_argument("--customers", type=int, default=100, metavar="N")
        parser.add_argument("--orders", type=int, default=1_000, metavar="N")
        parser.add_argument("--add", action="store_true", help="Add to existing orders.")

    def handle(self, *, products, customers, orders, add, **options):
        if min(products, customers, orders) < 0:
            raise CommandError("Numbers must not be negative.")
        if orders and (products < ITEMS_PER_ORDER or not customers):
            raise CommandError(f"Orders need {ITEMS_PER_ORDER} products or more, and a customer.")
        if Order.objects.exists() and not add:
            raise CommandError("The shop has orders. Use --add to add to them.")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                # Foreign keys are checked by each COPY, since deferred checks take memory.
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            Seed(self, products, customers, orders).run()
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")  # to find the items of some orders among millions
            SearchEntry.objects.write_missing(Order.objects.all())

    def progress(self, label, done, total):
        """Show a progress bar on a terminal, otherwise a line at the end."""
        if self.stdout.isatty():
            bar = "#" * (30 * done // total)
            end = "\n" if done == total else ""
            self.stdout.write(f"\r[{bar:<30}] {done:,} of {total:,} {label}", ending=end)
            self.stdout.flush()
        elif done == total:
            self.stdout.write(f"{total:,} {label}")


class Seed:
    """Loads rows of text and numbers, which PostgreSQL's COPY and SQLite accept as they are."""

    def __init__(self, command, products, customers, orders):
        self.progress = command.progress
        self.now = timezone.now().replace(minute=0, second=0, microsecond=0)
        self.opened = self.now - SALES_PERIOD
        self.random = random.Random("shopply")  # noqa: S311  no secret, the same each time
        self.products = next_ids(Product, products)
        self.clerk, *self.customers = next_ids(get_user_model(), customers + 1)
        self.orders = next_ids(Order, orders)
        self.sold = dict.fromkeys(self.products, 0)

    def run(self):
        user = get_user_model()
        self.load(user, ACCOUNT_COLUMNS, [account_row(self.clerk, self.opened, is_staff=True)])
        rows = (account_row(pk, self.opened) for pk in self.customers)
        self.load_in_batches("customers", user, ACCOUNT_COLUMNS, rows, self.customers)
        now = stamp(timezone.now())
        tokens = ((secrets.token_hex(20), pk, now) for pk in (self.clerk, *self.customers))
        self.load(Token, ("key", "user_id", "created"), tokens)
        stock = {pk: 0 if pk % 20 == 19 else self.random.randint(1, 500) for pk in self.products}
        rows = (product_row(pk, stock[pk], self.opened) for pk in self.products)
        self.load_in_batches("products", Product, PRODUCT_COLUMNS, rows, self.products)
        self.load_orders()
        opening = (
            (pk, left + self.sold[pk], Reason.OPENING.value, "", stamp(self.opened))
            for pk, left in stock.items()
            if left + self.sold[pk]
        )
        self.load(StockAdjustment, ("product_id", "delta", "reason", "note", "created"), opening)
        if connection.vendor == "postgresql":
            for model in (user, Product, Order):
                restart_sequence(model)

    def load_orders(self):
        for start in range(0, len(self.orders), BATCH_SIZE):
            batch = [self.order(pk) for pk in self.orders[start : start + BATCH_SIZE]]
            self.load(Order, ORDER_COLUMNS, (order for order, items, events in batch))
            self.load(
                OrderItem, ITEM_COLUMNS, (item for order, items, events in batch for item in items)
            )
            self.load(
                OrderEvent, EVENT_COLUMNS, (event for *_, events in batch for event in events)
            )
            self.progress("orders", start + len(batch), len(self.orders))

    def order(self, pk):
        """Return the row of an order, those of its items, and those of its events."""
        customer = self.random.choice(self.customers)
        (statuses,) = self.random.choices([*STATUS_HISTORIES], STATUS_HISTORIES.values())
        created = self.opened + SALES_PERIOD * (pk - self.orders[0]) / len(self.orders)
        events, at = [], created
        for next_status in statuses:
            if at <= self.now:
                status, modified = next_status, stamp(at)
                if status != Status.PLACED:
                    by = customer if status == Status.CANCELLED else self.clerk
                    events.append((pk, status.value, modified, by, ""))
            at += timedelta(minutes=self.random.randint(20, 2_000))
        items, total = [], Decimal(0)
        for product_id in self.random.sample(self.products, ITEMS_PER_ORDER):
            quantity = self.random.randint(1, 4)
            name, sku, price = name_sku_price(product_id)
            items.append((pk, product_id, name, sku, str(price), quantity, str(price * quantity)))
            total += price * quantity
            if status != Status.CANCELLED:
                self.sold[product_id] += quantity
        address = json.dumps(postal_address(customer))
        row = (pk, customer, status.value, str(total), settings.SHOP_CURRENCY, address, "")
        return (*row, stamp(created), modified), items, events

    def load_in_batches(self, label, model, columns, rows, ids):
        for start in range(0, len(ids), BATCH_SIZE):
            size = min(BATCH_SIZE, len(ids) - start)
            self.load(model, columns, (next(rows) for _ in range(size)))
            self.progress(label, start + size, len(ids))

    def load(self, model, columns, rows):
        into = f"{model._meta.db_table} ({', '.join(columns)})"
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {into} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(columns))
                cursor.executemany(f"INSERT INTO {into} VALUES ({marks})", rows)  # noqa: S608  of our own


def next_ids(model, number):
    """Return the next `number` ids of a model."""
    last = model.objects.aggregate(last=Max("pk"))["last"] or 0
    return range(last + 1, last + 1 + number)


def restart_sequence(model):
    """Have the next row of the model get an id after those of the loaded rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{model._meta.db_table}', 'id'), max(id))"  # noqa: S608
            f" FROM {model._meta.db_table}"
        )
