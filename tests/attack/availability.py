"""Attacks that block one part of the shop; each test checks that the others are still served.

They run against one server of two processes with the default limits, on PostgreSQL, behind nginx.
Run by `make attack`; with LONG in the environment the attacks are larger.
"""

import json
import os
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from redis import Redis
from rest_framework.authtoken.models import Token

from orders.models import Order, OrderItem
from products.models import Product
from tests import factories
from tests.deploy.copies import NGINX, Copies
from tests.servers import at_once

LONG = "LONG" in os.environ
SECONDS = 20 if LONG else 5  # duration of an attack

pytestmark = [
    pytest.mark.skipif(not NGINX, reason="no nginx is installed"),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the suite is not on PostgreSQL"),
]

DEFAULTS = {
    "LOG_IN_ACCOUNT_RATE": "10/15m",
    "LOG_IN_ADDRESS_RATE": "100/15m",
    "ANONYMOUS_RATE": "600/m",
    "CUSTOMER_RATE": "1200/m",
    "ORDER_RATE": "60/m",
    "ACCOUNT_RATE": "30/h",
}


@pytest.fixture
def start(transactional_db, tmp_path):
    servers = []

    def start(**options):
        servers.append(Copies(tmp_path, copies=1, **DEFAULTS | options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


class Response:
    def __init__(self, response, seconds):
        self.status, self.headers = response.status, response.headers
        self.content, self.seconds = response.read(), seconds


def source_address(address):
    """Return the source address of a connection, or None to bind none.

    A bound port cannot be used again until a minute after its connection.
    """
    return address and (address, 0)


def call(shop, method, path, body=None, *, address=None, customer=None, **headers):
    """Send a request from an address of this machine; return the response and its duration."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if customer:
        headers["Authorization"] = f"Token {Token.objects.get_or_create(user=customer)[0].key}"
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    began = time.monotonic()
    with closing(
        HTTPConnection("127.0.0.1", shop.port, timeout=60, source_address=source_address(address))
    ) as peer:
        with suppress(BrokenPipeError):  # the server may respond before it has read everything
            peer.request(method, path, body, headers)
        response = peer.getresponse()
        return Response(response, time.monotonic() - began)


def calls_from_many_addresses(shop, path, count):
    """Return calls that each come from a different address, so that no rate limit applies."""
    addresses = [f"127.0.100.{number}" for number in range(1, count + 1)]
    return [partial(call, shop, "GET", path, address=address) for address in addresses]


def create_customer(name):
    """Create a customer whose password has the production hash, the only one the server knows."""
    password = make_password(factories.PASSWORD, hasher="pbkdf2_sha256")
    return factories.customers.make(username=name, password=password)


def log_in(shop, name, password=factories.PASSWORD, address=None):
    credentials = {"username": name, "password": password}
    return call(shop, "POST", "/api/obtain-token/", credentials, address=address)


class BackgroundReader:
    """A client at another address that reads the product list repeatedly during the block."""

    def __init__(self, shop):
        self.shop, self.responses, self.done = shop, [], threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        while not self.done.wait(0.1):  # stays within the limit of 600 a minute
            self.responses.append(call(self.shop, "GET", "/api/products/", address="127.0.200.1"))

    def __exit__(self, *exc):
        self.done.set()
        self.thread.join()

    def assert_served(self, median, p99):
        times = sorted(response.seconds for response in self.responses)
        print(
            f"{len(times)} answers to others: median {1000 * statistics.median(times):.0f} ms,"
            f" the longest {1000 * times[-1]:.0f} ms"
        )
        assert {response.status for response in self.responses} == {200}
        assert statistics.median(times) < median
        assert times[int(0.99 * (len(times) - 1))] < p99


# --- Log-ins --------------------------------------------------------------------------------------


def fail_to_log_in(shop, count, addresses):
    addresses = cycle(addresses)
    attempts = [(f"customer{number}", next(addresses)) for number in range(count)]
    with ThreadPoolExecutor(count if count < 200 else 100) as pool:
        return list(
            pool.map(
                lambda attempt: log_in(shop, attempt[0], "wrong-password", address=attempt[1]),
                attempts,
            )
        )


@pytest.mark.parametrize(
    ("count", "addresses"),
    [
        (110, [None]),
        (600 if LONG else 200, [f"127.0.{number}.1" for number in range(1, 29)]),
    ],
    ids=["one address", "28 networks"],
)
def test_list_is_served_while_log_ins_fail(start, product, count, addresses):
    shop = start()
    call(shop, "GET", "/api/products/")
    with BackgroundReader(shop) as reader:
        responses = fail_to_log_in(shop, count, addresses)
        time.sleep(1)
    statuses = [response.status for response in responses]
    print({status: statuses.count(status) for status in sorted(set(statuses))})
    assert set(statuses) <= {400, 429, 503}
    assert all(
        "Retry-After" in response.headers for response in responses if response.status != 400
    )
    reader.assert_served(median=0.1, p99=1)


def test_five_log_ins_at_the_same_moment_succeed(start):
    """If one process gets four or more of them, some get a 503 and retry after a second."""
    shop = start()
    names = [f"member{number}" for number in range(5)]
    for name in names:
        create_customer(name)

    def log_in_with_retries(name):
        response = log_in(shop, name)
        while response.status == 503:
            time.sleep(int(response.headers["Retry-After"]))
            response = log_in(shop, name)
        return response

    for _ in range(3):
        began = time.monotonic()
        responses = at_once(*[partial(log_in_with_retries, name) for name in names])
        assert [response.status for response in responses] == [200] * 5
        assert time.monotonic() - began < 5


# --- Locks ----------------------------------------------------------------------------------------


@contextmanager
def hold_lock(sql, params=()):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
        yield


def test_list_is_served_while_20_orders_wait_for_a_row(start, product):
    shop = start()
    customers = factories.customers.make(_quantity=20)
    for customer in customers:
        Token.objects.create(user=customer)
    tokens = {token.user_id: token.key for token in Token.objects.all()}
    body = {"items": [{"product": product.pk, "quantity": 1}]}

    def place(customer):
        authorization = f"Token {tokens[customer.pk]}"
        return call(shop, "POST", "/api/orders/", body, Authorization=authorization)

    call(shop, "GET", "/api/products/")
    lock = "SELECT 1 FROM products_product WHERE id = %s FOR UPDATE"
    with (
        hold_lock(lock, [product.pk]),
        BackgroundReader(shop) as reader,
        ThreadPoolExecutor(20) as pool,
    ):
        futures = [pool.submit(place, customer) for customer in customers]
        time.sleep(0.5)
        health = call(shop, "GET", "/healthz")
        responses = [future.result() for future in futures]
    assert (health.status, health.seconds < 10) == (200, True)
    assert {response.status for response in responses} == {503}
    assert max(response.seconds for response in responses) < 11  # the proxy waits for ten
    reader.assert_served(median=2.5, p99=10)
    assert not Order.objects.exists()
    assert place(customers[0]).status == 201


def test_locked_table_returns_503_in_time(start, product):
    shop = start()
    call(shop, "GET", "/api/products/")
    with hold_lock("LOCK TABLE products_product"):
        *responses, health = at_once(
            *calls_from_many_addresses(shop, f"/api/products/{product.pk}/", 10),
            lambda: call(shop, "GET", "/healthz"),
        )
    assert ([response.status for response in responses], health.status) == ([503] * 10, 200)
    assert max(response.seconds for response in (*responses, health)) < 10
    assert call(shop, "GET", "/api/products/").status == 200


# --- Suspended processes --------------------------------------------------------------------------


def process_tree(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(descendant for child in children for descendant in process_tree(int(child)))]


@contextmanager
def suspend(pid):
    """Suspend a process and its children; the system still accepts connections for them."""
    pids = process_tree(pid)
    for process in pids:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in pids:
            with suppress(ProcessLookupError):  # it ended when its client did
                os.kill(process, signal.SIGCONT)


def test_suspended_postgresql_returns_503_in_ten_seconds_and_recovers(cluster, start):
    shop = start()
    product = factories.products.make()
    path = f"/api/products/{product.pk}/"
    at_once(*calls_from_many_addresses(shop, path, 16))  # every thread has a connection
    connection.close()
    pid = int(Path(cluster.folder, "data/postmaster.pid").read_text().splitlines()[0])
    with suspend(pid):
        responses = at_once(*calls_from_many_addresses(shop, path, 16))
    resumed = time.monotonic()
    assert {response.status for response in responses} == {503}
    assert max(response.seconds for response in responses) < 11
    while call(shop, "GET", path).status != 200:
        assert time.monotonic() - resumed < 5


def test_suspended_redis_delays_nobody(start, redis_url, product):
    shop = start(CACHE_URL=redis_url, METRICS_TOKEN="secret")
    create_customer("member")
    call(shop, "GET", "/api/products/")
    with suspend(Redis.from_url(redis_url).info()["process_id"]):
        responses = [call(shop, "GET", "/api/products/") for _ in range(20)]
        assert log_in(shop, "member").status == 200
        failed_statuses = [log_in(shop, "member", "wrong-password").status for _ in range(11)]
        metrics = call(shop, "GET", "/metrics", Authorization="Bearer secret").content.decode()
    assert {response.status for response in responses} == {200}
    assert max(response.seconds for response in responses) < 2
    assert statistics.median(response.seconds for response in responses) < 0.1
    assert failed_statuses == [400] * 10 + [429]
    (metric,) = [line for line in metrics.splitlines() if line.startswith("shopply_unlimited")]
    assert float(metric.split()[1]) >= 20


# --- Expensive requests ---------------------------------------------------------------------------

BODY = json.dumps({"items": [{"product": n, "quantity": 1} for n in range(1, 1_700)]}).encode()
ATTACKS = {
    "schema": ("GET", "/api/schema/", None),
    "search": ("GET", "/api/products/?search=a+e+i+o+u+q+x+z+qx+zq&ordering=-price", None),
    "phrase": ("GET", "/api/products/?search=%22x+q%22+zz", None),
    "page": ("GET", "/api/products/?page=9000", None),
    "quote": ("POST", "/api/orders/quote/", BODY),
    "large": ("POST", "/api/orders/quote/", b" " * 2_400_000),
    "etags": ("GET", "/api/products/", None),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_one_address_does_not_slow_the_others(start, name):
    method, path, body = ATTACKS[name]
    create_products(400_000 if LONG else 50_000)
    shop = start()
    headers = {"If_None_Match": ", ".join(['"abc"'] * 1_000)} if name == "etags" else {}
    call(shop, "GET", "/api/products/")
    end, statuses = time.monotonic() + SECONDS, []

    def attack(_):
        while time.monotonic() < end:
            statuses.append(call(shop, method, path, body, **headers).status)

    with BackgroundReader(shop) as reader, ThreadPoolExecutor(16) as pool:
        list(pool.map(attack, range(16)))
    print(name, {status: statuses.count(status) for status in sorted(set(statuses))})
    # nginx returns 503 if the server rejects a request before it has read its body.
    assert set(statuses) <= {200, 400, 413, 429, 503}
    reader.assert_served(median=0.2, p99=5)


def create_products(count):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO products_product (name, description, price, quantity_in_stock, is_active,"
            " created, modified, search_text)"
            " SELECT 'Coffee ' || n, repeat('roast ', 40), n %% 100, 5, true, now(), now(),"
            " 'coffee ' || n || repeat(' roast', 40)"
            " FROM generate_series(1, %s) AS n",
            [count],
        )
        cursor.execute("ANALYZE products_product")


# --- Exports --------------------------------------------------------------------------------------


def memory(shop):
    """Return the memory of the server's largest process in MB."""
    pids = process_tree(shop.servers[0].process.pid)
    statuses = [Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in pids]
    return max(int(text.partition("VmRSS:")[2].split()[0]) for text in statuses) / 1024


def test_export_streams_in_little_memory(start, alice):
    order_count = 6_500 if LONG else 500
    items_per_order = 100
    products = factories.products.make(_quantity=items_per_order)
    for product in products:
        Product.objects.filter(pk=product.pk).update(quantity_in_stock=1_000_000)
    address = alice.postal_address()
    for _ in range(order_count // 100):
        orders = Order.objects.bulk_create(
            Order(customer=alice, total_price=12, currency="EUR", shipping_address=address)
            for _ in range(100)
        )
        OrderItem.objects.bulk_create(
            OrderItem(
                order=order,
                product=product,
                name=product.name,
                unit_price=1,
                quantity=1,
                line_total=1,
            )
            for order in orders
            for product in products
        )
    shop = start()
    call(shop, "GET", "/api/products/")
    call(shop, "GET", "/api/customers/me/", customer=alice)
    before = memory(shop)
    with BackgroundReader(shop) as reader:
        response = call(shop, "GET", "/api/customers/me/export/", customer=alice)
    growth = memory(shop) - before
    print(
        f"an export of {len(response.content) / 2**20:.0f} MB took {growth:.0f} MB more of memory"
    )
    export = json.loads(response.content)
    assert len(export["orders"]) == order_count
    assert all(len(order["items"]) == items_per_order for order in export["orders"])
    assert growth < 50
    reader.assert_served(median=0.2, p99=2)
