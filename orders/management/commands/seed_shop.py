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
    ACCOUNT,
    PRODUCT,
    account,
    called,
    postal_address,
    product,
    stamp,
)
from orders.models import Order, OrderEvent, OrderItem
from orders.transitions import Status
from products.models import Product, Reason, StockAdjustment

LINES = 3
BATCH = 5_000
SELLING = timedelta(days=360)
LAST_TRANSITIONS = timedelta(days=5)  # after an order was placed, at most

ORDER = (
    *("id", "customer_id", "status", "total_price", "currency", "shipping_address"),
    *("fingerprint", "created", "modified"),
)
ITEM = ("order_id", "product_id", "name", "sku", "unit_price", "quantity", "line_total")
EVENT = ("order_id", "status", "at", "by_id", "note")

COURSES = {  # of a hundred orders, so many went this way
    (Status.PLACED,): 3,
    (Status.PLACED, Status.CONFIRMED): 3,
    (Status.PLACED, Status.CONFIRMED, Status.SHIPPED): 4,
    (Status.PLACED, Status.CANCELLED): 5,
    (Status.PLACED, Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED): 85,
}


class Command(BaseCommand):
    help = (
        "Fills the shop with believable products, customers and orders of three lines, for "
        "benchmarks and demos: the same ones every time, in the year that ends today. Nobody can "
        "log in to the accounts by password; each has a random token (`manage.py drf_create_token "
        "<username>` tells it). One more account, `clerk.<id>`, is of staff."
    )

    def add_arguments(self, parser):
        parser.add_argument("--products", type=int, default=1_000, metavar="N")
        parser.add_argument("--customers", type=int, default=100, metavar="N")
        parser.add_argument("--orders", type=int, default=1_000, metavar="N")
        parser.add_argument(
            "--add", action="store_true", help="Also if the shop has orders; they stay as they are."
        )

    def handle(self, *, products, customers, orders, add, **options):
        if min(products, customers, orders) < 0:
            raise CommandError("There are no negative numbers of things.")
        if orders and (products < LINES or not customers):
            raise CommandError(f"Orders need {LINES} products or more, and a customer.")
        if Order.objects.exists() and not add:
            raise CommandError("The shop has orders. Seed it nevertheless with --add.")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                # Keys are checked by each COPY: remembered until the commit they take memory.
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            Seed(self, products, customers, orders).sow()
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")

    def progress(self, what, done, of):
        """A bar that grows on a terminal; a line when all is done elsewhere."""
        if self.stdout.isatty():
            bar = "#" * (30 * done // of)
            end = "\n" if done == of else ""
            self.stdout.write(f"\r[{bar:<30}] {done:,} of {of:,} {what}", ending=end)
            self.stdout.flush()
        elif done == of:
            self.stdout.write(f"{of:,} {what}")


class Seed:
    """Rows as text and numbers, which PostgreSQL's COPY and SQLite both take as they are."""

    def __init__(self, command, products, customers, orders):
        self.progress = command.progress
        today = timezone.now().replace(hour=8, minute=0, second=0, microsecond=0)
        self.opened = today - SELLING - LAST_TRANSITIONS
        self.random = random.Random("shopply")  # noqa: S311  no secret, the same each time
        self.products = ids(Product, products)
        self.clerk, *self.customers = ids(get_user_model(), customers + 1)
        self.orders = ids(Order, orders)
        self.sold = dict.fromkeys(self.products, 0)

    def sow(self):
        user = get_user_model()
        self.load(user, ACCOUNT, [account(self.clerk, self.opened, is_staff=True)])
        rows = (account(pk, self.opened) for pk in self.customers)
        self.in_batches("customers", user, ACCOUNT, rows, self.customers)
        now = stamp(timezone.now())
        tokens = ((secrets.token_hex(20), pk, now) for pk in (self.clerk, *self.customers))
        self.load(Token, ("key", "user_id", "created"), tokens)
        stock = {pk: 0 if pk % 20 == 19 else self.random.randint(1, 500) for pk in self.products}
        rows = (product(pk, stock[pk], self.opened) for pk in self.products)
        self.in_batches("products", Product, PRODUCT, rows, self.products)
        self.sow_orders()
        opening = (
            (pk, left + self.sold[pk], Reason.OPENING.value, "", stamp(self.opened))
            for pk, left in stock.items()
            if left + self.sold[pk]
        )
        self.load(StockAdjustment, ("product_id", "delta", "reason", "note", "created"), opening)
        if connection.vendor == "postgresql":
            for model in (user, Product, Order):
                restart_sequence(model)

    def sow_orders(self):
        for start in range(0, len(self.orders), BATCH):
            batch = [self.order(pk) for pk in self.orders[start : start + BATCH]]
            self.load(Order, ORDER, (order for order, lines, events in batch))
            self.load(OrderItem, ITEM, (line for order, lines, events in batch for line in lines))
            self.load(OrderEvent, EVENT, (event for *_, events in batch for event in events))
            self.progress("orders", start + len(batch), len(self.orders))

    def order(self, pk):
        """Its row, those of its lines, and those of its events."""
        customer = self.random.choice(self.customers)
        (course,) = self.random.choices([*COURSES], COURSES.values())
        created = self.opened + SELLING * (pk - self.orders[0]) / len(self.orders)
        events, at = [], created
        for status in course:
            if status != Status.PLACED:
                by = customer if status == Status.CANCELLED else self.clerk
                events.append((pk, status.value, stamp(at), by, ""))
            modified = stamp(at)
            at += timedelta(minutes=self.random.randint(20, 2_000))
        lines, total = [], Decimal(0)
        for product_id in self.random.sample(self.products, LINES):
            quantity = self.random.randint(1, 4)
            name, sku, price = called(product_id)
            lines.append((pk, product_id, name, sku, str(price), quantity, str(price * quantity)))
            total += price * quantity
            if course[-1] != Status.CANCELLED:
                self.sold[product_id] += quantity
        address = json.dumps(postal_address(customer))
        row = (pk, customer, course[-1].value, str(total), settings.SHOP_CURRENCY, address, "")
        return (*row, stamp(created), modified), lines, events

    def in_batches(self, what, model, columns, rows, counted):
        for start in range(0, len(counted), BATCH):
            size = min(BATCH, len(counted) - start)
            self.load(model, columns, (next(rows) for _ in range(size)))
            self.progress(what, start + size, len(counted))

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


def ids(model, number):
    """So many ids that follow those there are."""
    last = model.objects.aggregate(last=Max("pk"))["last"] or 0
    return range(last + 1, last + 1 + number)


def restart_sequence(model):
    """Have the next row that the shop writes follow those that brought their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{model._meta.db_table}', 'id'), max(id))"  # noqa: S608
            f" FROM {model._meta.db_table}"
        )
