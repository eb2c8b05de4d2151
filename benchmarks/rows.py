"""What every server is asked for: the rows of the table, as requests."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

HOST = "127.0.0.1:8000"  # what every server is called, so that all make the same links
KEY = "@KEY@"  # load.lua puts a new key here each time
WORDS = ("kenya", "washed", "las palmas", "jasmine", "honey peru", "dark cocoa", "250", "gesha")


class Request(NamedTuple):
    method: str
    path: str
    token: str | None = None
    body: dict | None = None
    headers: dict = {}

    def all_headers(self):
        headers = {"Host": HOST, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        if self.body:
            headers["Content-Type"] = "application/json"
        return headers | self.headers

    def content(self):
        return json.dumps(self.body) if self.body else ""

    def raw(self):
        """The request as it goes over the wire."""
        content = self.content()
        headers = self.all_headers()
        if content:
            headers["Content-Length"] = len(content)
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines) + "\r\n\r\n" + content


def answer_key(method, path, conditional):
    """What requests that get the same answer of the bare view have in common."""
    return f"{method} {re.sub('(?<=/)[0-9]+(?=/$)|(?<=search=).*', '*', path)} {conditional}"


class Shop(NamedTuple):
    """What the seeded data has to ask for."""

    tokens: list
    products: list  # ids of those for sale


def product_list(shop, chance):
    return Request("GET", "/api/products/")


def product_list_of_100(shop, chance):
    return Request("GET", "/api/products/?items_per_page=100")


def search(shop, chance):
    return Request("GET", f"/api/products/?search={chance.choice(WORDS).replace(' ', '%20')}")


def product(shop, chance):
    return Request("GET", f"/api/products/{chance.choice(shop.products)}/")


def own_orders(shop, chance):
    return Request("GET", "/api/orders/?items_per_page=5", next(shop.tokens))


def own_orders_25(shop, chance):
    return Request("GET", "/api/orders/?items_per_page=25", next(shop.tokens))


def own_row(shop, chance):
    return Request("GET", "/api/customers/", next(shop.tokens))


def order(shop, chance):
    items = [
        {"product": pk, "quantity": chance.randint(1, 3)} for pk in chance.sample(shop.products, 3)
    ]
    return Request("POST", "/api/orders/", next(shop.tokens), {"items": items})


def order_with_key(shop, chance):
    return order(shop, chance)._replace(headers={"Idempotency-Key": KEY})


def order_of_one_product(shop, chance):
    items = [{"product": shop.products[0], "quantity": 1}]
    return Request("POST", "/api/orders/", next(shop.tokens), {"items": items})


def mix(shop, chance):
    """Of a hundred requests, 45 lists, 30 products, 15 lists of own orders and 10 orders."""
    makers, weights = (product_list, product, own_orders, order), (45, 30, 15, 10)
    return chance.choices(makers, weights)[0](shop, chance)


@dataclass(frozen=True)
class Row:
    name: str
    make: Callable
    floor: float | None = None  # on PostgreSQL, the least throughput over FastAPI's
    writes: bool = False  # places orders
    order_client: bool = False  # one more client places orders while the row is measured
    conditional: bool = False  # sends If-None-Match with the ETag of the shop
    counts: bool = False  # answers with a count, so the peer that keeps it takes part
    redis: bool = False  # measured with a cache in Redis too
    sqlite: bool = False  # measured on SQLite too

    def requests(self, shop, number, etag=None):
        """The same ones for all servers, and every time."""
        chance = random.Random(self.name)
        # In turn, so that no customer comes near a limit of the shop.
        shop = shop._replace(tokens=cycle(chance.sample(shop.tokens, len(shop.tokens))))
        requests = [self.make(shop, chance) for _ in range(number)]
        if etag:
            return [each._replace(headers={"If-None-Match": etag}) for each in requests]
        return requests


PLACE = Row("place an order, 3 lines", order, 2.0, writes=True, redis=True, sqlite=True)
ROWS = (
    Row("product list, 5", product_list, 4, counts=True, redis=True, sqlite=True),
    Row("product list, 100", product_list_of_100, 6, counts=True),
    Row("product list, search", search, counts=True),
    Row("product list, revalidated", product_list, conditional=True),
    Row("product", product, 1.5),
    Row("own orders, 5", own_orders, 2.5, redis=True),
    Row("own orders, 25", own_orders_25, 2.5, redis=True, sqlite=True),
    Row("customers, own row", own_row),
    Row("product list, 5, while orders come in", product_list, 2.8, order_client=True, counts=True),
    Row(
        "product list, 100, while orders come in",
        product_list_of_100,
        3,
        order_client=True,
        counts=True,
    ),
    PLACE,
    Row("place an order, with a key", order_with_key, writes=True),
    Row("16 writers on one product", order_of_one_product, writes=True),
    Row("mix, 10 % orders", mix, 2.5, writes=True, counts=True),
)
