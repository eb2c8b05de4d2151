"""The rows of the table: the requests that every server gets."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

HOST = "127.0.0.1:8000"  # the same for every server, so that all return the same links
KEY = "@KEY@"  # load.lua replaces it with a new key in each request
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
        """Return the request as sent over the wire."""
        content = self.content()
        headers = self.all_headers()
        if content:
            headers["Content-Length"] = len(content)
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines) + "\r\n\r\n" + content


def response_key(method, path, conditional):
    """Return a key that is the same for all requests with the same response of the bare view."""
    return f"{method} {re.sub('(?<=/)[0-9]+(?=/$)|(?<=search=).*', '*', path)} {conditional}"


class Shop(NamedTuple):
    """Tokens and products of the seeded data."""

    tokens: list
    products: list  # ids of active products


def product_list(shop, rng):
    return Request("GET", "/api/products/")


def product_list_of_100(shop, rng):
    return Request("GET", "/api/products/?items_per_page=100")


def search(shop, rng):
    return Request("GET", f"/api/products/?search={rng.choice(WORDS).replace(' ', '%20')}")


def product(shop, rng):
    return Request("GET", f"/api/products/{rng.choice(shop.products)}/")


def own_orders(shop, rng):
    return Request("GET", "/api/orders/?items_per_page=5", next(shop.tokens))


def own_orders_25(shop, rng):
    return Request("GET", "/api/orders/?items_per_page=25", next(shop.tokens))


def own_row(shop, rng):
    return Request("GET", "/api/customers/", next(shop.tokens))


def order(shop, rng):
    items = [{"product": pk, "quantity": rng.randint(1, 3)} for pk in rng.sample(shop.products, 3)]
    return Request("POST", "/api/orders/", next(shop.tokens), {"items": items})


def order_with_key(shop, rng):
    return order(shop, rng)._replace(headers={"Idempotency-Key": KEY})


def order_of_one_product(shop, rng):
    items = [{"product": shop.products[0], "quantity": 1}]
    return Request("POST", "/api/orders/", next(shop.tokens), {"items": items})


def mix(shop, rng):
    """Mix 45% product lists, 30% products, 15% lists of own orders and 10% new orders."""
    builders, weights = (product_list, product, own_orders, order), (45, 30, 15, 10)
    return rng.choices(builders, weights)[0](shop, rng)


@dataclass(frozen=True)
class Row:
    name: str
    build: Callable
    floor: float | None = None  # minimum throughput relative to FastAPI, on PostgreSQL
    writes: bool = False  # places orders
    order_client: bool = False  # another client places orders while the row is measured
    conditional: bool = False  # sends If-None-Match with the ETag of the shop
    counts: bool = False  # returns a count, so the peer that caches counts takes part
    redis: bool = False  # also measured with a cache in Redis
    sqlite: bool = False  # also measured on SQLite
    everything: bool = False  # also measured while the worker sends mails and webhooks

    def requests(self, shop, number, etag=None):
        """Return the requests, the same for all servers and in every run."""
        rng = random.Random(self.name)
        # Tokens take turns, so that no customer comes near a rate limit.
        shop = shop._replace(tokens=cycle(rng.sample(shop.tokens, len(shop.tokens))))
        requests = [self.build(shop, rng) for _ in range(number)]
        if etag:
            return [request._replace(headers={"If-None-Match": etag}) for request in requests]
        return requests


PLACE = Row(
    "place an order, 3 lines", order, 2.0, writes=True, redis=True, sqlite=True, everything=True
)
ROWS = (
    Row("product list, 5", product_list, 4, counts=True, redis=True, sqlite=True, everything=True),
    Row("product list, 100", product_list_of_100, 6, counts=True),
    Row("product list, search", search, counts=True),
    Row("product list, revalidated", product_list, conditional=True),
    Row("product", product, 1.5),
    Row("own orders, 5", own_orders, 2.5, redis=True),
    Row("own orders, 25", own_orders_25, 2.5, redis=True, sqlite=True),
    Row("customers, own row", own_row),
    Row(
        "product list, 5, while orders come in",
        product_list,
        2.8,
        order_client=True,
        counts=True,
        everything=True,
    ),
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
