"""Attacks that hold up one part of the shop; each asks how the others fare meanwhile.

Against one server of two processes with the limits that are the default, on PostgreSQL, behind
nginx. Run by `make attack`; with LONG in the environment there is more of each.
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
SECONDS = 20 if LONG else 5  # of an attack

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
    started = []

    def start(**options):
        started.append(Copies(tmp_path, copies=1, **DEFAULTS | options).start())
        return started[-1]

    yield start
    for each in started:
        each.stop()


class Response:
    def __init__(self, response, seconds):
        self.status, self.headers = response.status, response.headers
        self.content, self.seconds = response.read(), seconds


def source(address):
    """To connect from; where no address is wanted, none is bound, as a bound port is used up until
    a minute after its connection, whatever it was connected to."""
    return address and (address, 0)


def call(shop, method, path, body=None, *, address=None, customer=None, **headers):
    """The answer to a request from an address of this machine, and how long it took."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if customer:
        headers["Authorization"] = f"Token {Token.objects.get_or_create(user=customer)[0].key}"
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    began = time.monotonic()
    with closing(
        HTTPConnection("127.0.0.1", shop.port, timeout=60, source_address=source(address))
    ) as peer:
        with suppress(BrokenPipeError):  # it may answer before it has read all
            peer.request(method, path, body, headers)
        response = peer.getresponse()
        return Response(response, time.monotonic() - began)


def calls_from_everywhere(shop, path, count):
    """So many calls to make, each from an address of its own: none is one of a caller's many."""
    addresses = [f"127.0.100.{number}" for number in range(1, count + 1)]
    return [partial(call, shop, "GET", path, address=each) for each in addresses]


def member(name):
    """A customer whose password is hashed as in production: the server knows no other way."""
    password = make_password(factories.PASSWORD, hasher="pbkdf2_sha256")
    return factories.customers.make(username=name, password=password)


def log_in(shop, name, password=factories.PASSWORD, address=None):
    form = {"username": name, "password": password}
    return call(shop, "POST", "/api/obtain-token/", form, address=address)


class Honest:
    """Somebody at another address who reads the list, again and again, while the block lasts."""

    def __init__(self, shop):
        self.shop, self.answers, self.done = shop, [], threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        while not self.done.wait(0.1):  # within the limit of 600 a minute
            self.answers.append(call(self.shop, "GET", "/api/products/", address="127.0.200.1"))

    def __exit__(self, *exc):
        self.done.set()
        self.thread.join()

    def assert_served(self, median, p99):
        times = sorted(each.seconds for each in self.answers)
        print(
            f"{len(times)} answers to others: median {1000 * statistics.median(times):.0f} ms,"
            f" the longest {1000 * times[-1]:.0f} ms"
        )
        assert {each.status for each in self.answers} == {200}
        assert statistics.median(times) < median
        assert times[int(0.99 * (len(times) - 1))] < p99


# --- Log-ins --------------------------------------------------------------------------------------


def fail_to_log_in(shop, count, addresses):
    addresses = cycle(addresses)
    arguments = [(f"customer{number}", next(addresses)) for number in range(count)]
    with ThreadPoolExecutor(count if count < 200 else 100) as callers:
        return list(
            callers.map(
                lambda each: log_in(shop, each[0], "wrong-password", address=each[1]), arguments
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
def test_list_goes_on_beside_log_ins_that_fail(start, product, count, addresses):
    shop = start()
    call(shop, "GET", "/api/products/")
    with Honest(shop) as honest:
        answers = fail_to_log_in(shop, count, addresses)
        time.sleep(1)
    statuses = [each.status for each in answers]
    print({status: statuses.count(status) for status in sorted(set(statuses))})
    assert set(statuses) <= {400, 429, 503}
    assert all("Retry-After" in each.headers for each in answers if each.status != 400)
    honest.assert_served(median=0.1, p99=1)


def test_five_log_ins_at_the_same_moment_succeed(start):
    """If one process gets four of them or more, some are told to come again in a second."""
    shop = start()
    names = [f"member{number}" for number in range(5)]
    for name in names:
        member(name)

    def log_in_as_told(name):
        answer = log_in(shop, name)
        while answer.status == 503:
            time.sleep(int(answer.headers["Retry-After"]))
            answer = log_in(shop, name)
        return answer

    for _ in range(3):
        began = time.monotonic()
        answers = at_once(*[partial(log_in_as_told, name) for name in names])
        assert [each.status for each in answers] == [200] * 5
        assert time.monotonic() - began < 5


# --- Locks ----------------------------------------------------------------------------------------


@contextmanager
def locked(sql, params=()):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
        yield


def test_list_goes_on_beside_20_orders_that_wait_for_a_row(start, product):
    shop = start()
    customers = factories.customers.make(_quantity=20)
    for customer in customers:
        Token.objects.create(user=customer)
    tokens = {each.user_id: each.key for each in Token.objects.all()}
    body = {"items": [{"product": product.pk, "quantity": 1}]}

    def place(customer):
        authorization = f"Token {tokens[customer.pk]}"
        return call(shop, "POST", "/api/orders/", body, Authorization=authorization)

    call(shop, "GET", "/api/products/")
    lock = "SELECT 1 FROM products_product WHERE id = %s FOR UPDATE"
    with locked(lock, [product.pk]), Honest(shop) as honest, ThreadPoolExecutor(20) as callers:
        orders = [callers.submit(place, customer) for customer in customers]
        time.sleep(0.5)
        health = call(shop, "GET", "/healthz")
        answers = [each.result() for each in orders]
    assert (health.status, health.seconds < 10) == (200, True)
    assert {each.status for each in answers} == {503}
    assert max(each.seconds for each in answers) < 11  # the proxy's ten
    honest.assert_served(median=2.5, p99=10)
    assert not Order.objects.exists()
    assert place(customers[0]).status == 201


def test_table_that_is_locked_is_a_503_in_time(start, product):
    shop = start()
    call(shop, "GET", "/api/products/")
    with locked("LOCK TABLE products_product"):
        *answers, health = at_once(
            *calls_from_everywhere(shop, f"/api/products/{product.pk}/", 10),
            lambda: call(shop, "GET", "/healthz"),
        )
    assert ([each.status for each in answers], health.status) == ([503] * 10, 200)
    assert max(each.seconds for each in (*answers, health)) < 10
    assert call(shop, "GET", "/api/products/").status == 200


# --- Silence --------------------------------------------------------------------------------------


def processes_of(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(grandchild for child in children for grandchild in processes_of(int(child)))]


@contextmanager
def silent(pid):
    """The process and its children stop, though the system still takes what is sent to them."""
    stopped = processes_of(pid)
    for each in stopped:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in stopped:
            with suppress(ProcessLookupError):  # gone, once its client was
                os.kill(each, signal.SIGCONT)


def test_silent_postgresql_is_a_503_in_ten_seconds_and_its_return_is_seen(cluster, start):
    shop = start()
    product = factories.products.make()
    path = f"/api/products/{product.pk}/"
    at_once(*calls_from_everywhere(shop, path, 16))  # every thread has a connection
    connection.close()
    pid = int(Path(cluster.folder, "data/postmaster.pid").read_text().splitlines()[0])
    with silent(pid):
        answers = at_once(*calls_from_everywhere(shop, path, 16))
    back = time.monotonic()
    assert {each.status for each in answers} == {503}
    assert max(each.seconds for each in answers) < 11
    while call(shop, "GET", path).status != 200:
        assert time.monotonic() - back < 5


def test_silent_redis_holds_nobody_up(start, redis_url, product):
    shop = start(CACHE_URL=redis_url, METRICS_TOKEN="secret")
    member("member")
    call(shop, "GET", "/api/products/")
    with silent(Redis.from_url(redis_url).info()["process_id"]):
        answers = [call(shop, "GET", "/api/products/") for _ in range(20)]
        assert log_in(shop, "member").status == 200
        failed = [log_in(shop, "member", "wrong-password").status for _ in range(11)]
        metrics = call(shop, "GET", "/metrics", Authorization="Bearer secret").content.decode()
    assert {each.status for each in answers} == {200}
    assert max(each.seconds for each in answers) < 2
    assert statistics.median(each.seconds for each in answers) < 0.1
    assert failed == [400] * 10 + [429]
    (line,) = [each for each in metrics.splitlines() if each.startswith("shopply_unlimited")]
    assert float(line.split()[1]) >= 20


# --- What costs much ------------------------------------------------------------------------------

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
    many_products(400_000 if LONG else 50_000)
    shop = start()
    headers = {"If_None_Match": ", ".join(['"abc"'] * 1_000)} if name == "etags" else {}
    call(shop, "GET", "/api/products/")
    end, statuses = time.monotonic() + SECONDS, []

    def attack(_):
        while time.monotonic() < end:
            statuses.append(call(shop, method, path, body, **headers).status)

    with Honest(shop) as honest, ThreadPoolExecutor(16) as callers:
        list(callers.map(attack, range(16)))
    print(name, {status: statuses.count(status) for status in sorted(set(statuses))})
    # 503 is nginx's, where the server refuses a request before it has read its body.
    assert set(statuses) <= {200, 400, 413, 429, 503}
    honest.assert_served(median=0.2, p99=5)


def many_products(count):
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
    """Megabytes that the largest process of the server holds."""
    pids = processes_of(shop.servers[0].process.pid)
    statuses = [Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in pids]
    return max(int(text.partition("VmRSS:")[2].split()[0]) for text in statuses) / 1024


def test_export_streams_in_little_memory(start, alice):
    orders = 6_500 if LONG else 500
    lines = 100
    products = factories.products.make(_quantity=lines)
    for product in products:
        Product.objects.filter(pk=product.pk).update(quantity_in_stock=1_000_000)
    address = alice.postal_address()
    for _ in range(orders // 100):
        placed = Order.objects.bulk_create(
            Order(customer=alice, total_price=12, currency="EUR", shipping_address=address)
            for _ in range(100)
        )
        OrderItem.objects.bulk_create(
            OrderItem(
                order=each,
                product=product,
                name=product.name,
                unit_price=1,
                quantity=1,
                line_total=1,
            )
            for each in placed
            for product in products
        )
    shop = start()
    call(shop, "GET", "/api/products/")
    call(shop, "GET", "/api/customers/me/", customer=alice)
    before = memory(shop)
    with Honest(shop) as honest:
        answer = call(shop, "GET", "/api/customers/me/export/", customer=alice)
    grown = memory(shop) - before
    print(f"an export of {len(answer.content) / 2**20:.0f} MB took {grown:.0f} MB more of memory")
    export = json.loads(answer.content)
    assert len(export["orders"]) == orders
    assert all(len(each["items"]) == lines for each in export["orders"])
    assert grown < 50
    honest.assert_served(median=0.2, p99=2)
