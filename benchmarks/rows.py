"""What is asked of every server: the rows of the table, as requests."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

HOST = "127.0.0.1:8000"  # what every server is called, so that all make the same links
KEY = "@KEY@"  # load.lua puts a new key here each time
WORDS = ("kenya", "washed", "las palmas", "jasmine", "honey peru", "dark cocoa", "250", "gesha")


class Asked(NamedTuple):
    method: str
    path: str
    token: str | None = None
    body: dict | None = None
    headers: dict = {}

    def all_headers(self):
        sent = {"Host": HOST, "Accept": "application/json"}
        if self.token:
            sent["Authorization"] = f"Token {self.token}"
        if self.body:
            sent["Content-Type"] = "application/json"
        return sent | self.headers

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


def kind(method, path, conditional):
    """What requests that get the same answer of the bare view have in common."""
    return f"{method} {re.sub('(?<=/)[0-9]+(?=/$)|(?<=search=).*', '*', path)} {conditional}"


class Shop(NamedTuple):
    """What the seeded data has to ask for."""

    tokens: list
    products: list  # ids of those for sale


def product_list(shop, chance):
    return Asked("GET", "/api/products/")


def product_list_of_100(shop, chance):
    return Asked("GET", "/api/products/?items_per_page=100")


def search(shop, chance):
    return Asked("GET", f"/api/products/?search={chance.choice(WORDS).replace(' ', '%20')}")


def product(shop, chance):
    return Asked("GET", f"/api/products/{chance.choice(shop.products)}/")


def own_orders(shop, chance):
    return Asked("GET", "/api/orders/?items_per_page=5", chance.choice(shop.tokens))


def own_orders_25(shop, chance):
    return Asked("GET", "/api/orders/?items_per_page=25", chance.choice(shop.tokens))


def own_row(shop, chance):
    return Asked("GET", "/api/customers/", chance.choice(shop.tokens))


def order(shop, chance):
    lines = [
        {"product": pk, "quantity": chance.randint(1, 3)} for pk in chance.sample(shop.products, 3)
    ]
    return Asked("POST", "/api/orders/", chance.choice(shop.tokens), {"items": lines})


def order_with_key(shop, chance):
    return order(shop, chance)._replace(headers={"Idempotency-Key": KEY})


def order_of_one_product(shop, chance):
    lines = [{"product": shop.products[0], "quantity": 1}]
    return Asked("POST", "/api/orders/", chance.choice(shop.tokens), {"items": lines})


def mix(shop, chance):
    """Of a hundred requests, 45 lists, 30 products, 15 lists of own orders and 10 orders."""
    kinds, weights = (product_list, product, own_orders, order), (45, 30, 15, 10)
    return chance.choices(kinds, weights)[0](shop, chance)


@dataclass(frozen=True)
class Row:
    name: str
    ask: Callable
    writes: bool = False  # places orders, so begins with fresh data
    conditional: bool = False  # sends If-None-Match with the ETag of the shop
    counts: bool = False  # answers with a count, so the peer that keeps it takes part
    raw_sql: bool = False  # the peers without HTTP take part
    sqlite: bool = False  # measured on SQLite too

    def requests(self, shop, number, etag=None):
        """The same ones for all servers, and every time."""
        chance = random.Random(self.name)
        asked = [self.ask(shop, chance) for _ in range(number)]
        if etag:
            return [each._replace(headers={"If-None-Match": etag}) for each in asked]
        return asked


ROWS = (
    Row("product list, 5", product_list, counts=True, sqlite=True),
    Row("product list, 100", product_list_of_100, counts=True),
    Row("product list, search", search, counts=True),
    Row("product list, revalidated", product_list, conditional=True),
    Row("product", product),
    Row("own orders, 5", own_orders),
    Row("own orders, 25", own_orders_25, sqlite=True),
    Row("customers, own row", own_row),
    Row("place an order, 3 lines", order, writes=True, raw_sql=True, sqlite=True),
    Row("place an order, with a key", order_with_key, writes=True),
    Row("16 writers on one product", order_of_one_product, writes=True),
    Row("mix, 10 % orders", mix, writes=True, counts=True),
)
