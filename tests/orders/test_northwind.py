"""Northwind Traders' order book of 1996 to 1998, replayed over HTTP.

`NORTHWIND_DIR` is the folder of its CSV files; a relative one counts from the root of the
repository. The book's discounts are left out: a line comes to its price times its quantity.
"""

import json
import os
from collections import Counter, defaultdict
from decimal import Decimal
from http.client import HTTPConnection
from typing import NamedTuple

import pytest
from django.conf import settings
from django.core.servers.basehttp import WSGIRequestHandler

from tests.factories import PASSWORD

FOLDER = settings.BASE_DIR / os.environ.get("NORTHWIND_DIR", "../shared/data/northwind")
TOTAL = Decimal("1354458.59")
PER_PAGE = 7

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"NORTHWIND_DIR: no folder {FOLDER}")


class Line(NamedTuple):
    product: str  # its number in the book
    unit_price: Decimal
    quantity: int

    @property
    def total(self):
        return self.unit_price * self.quantity


class Order(NamedTuple):
    customer: str
    address: dict
    lines: list[Line]


def rows(name, address=""):
    """The file's rows as dicts, NULL as "". Nothing is quoted: commas split the `address` too."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    header, *lines = (line.split(",") for line in text.splitlines())
    for cells in lines:
        if address and len(cells) > len(header):
            start = header.index(address)
            end = start + 1 + len(cells) - len(header)
            cells[start:end] = [",".join(cells[start:end])]
        texts = ("" if cell == "NULL" else cell for cell in cells)
        yield dict(zip(header, texts, strict=True))


def read_customers():
    """Profiles by customer id."""
    return {
        row["customerID"]: {
            "username": row["customerID"].lower(),
            "email": f"{row['customerID'].lower()}@northwind.example",
            "first_name": row["contactName"].partition(" ")[0],
            "last_name": row["contactName"].partition(" ")[2],
            "contact_number": row["phone"],
            "street_1": row["address"],
            "street_2": row["companyName"],  # an account is a person's; the firm has no field
            "city": row["city"],
            "state": row["region"],
            "postal_code": row["postalCode"],
            "country": row["country"],
        }
        for row in rows("customers.csv", "address")
    }


def read_products():
    """Products by number: with the price of the catalogue, and the stock the book ends with."""
    return {
        row["productID"]: {
            "name": row["productName"],
            "description": row["quantityPerUnit"],
            "sku": f"NW-{row['productID']:0>2}",
            "price": row["unitPrice"],
            "quantity_in_stock": int(row["unitsInStock"]),
        }
        for row in rows("products.csv")
    }


def read_orders():
    """Orders as they came in."""
    lines = defaultdict(list)
    for row in rows("order-details.csv"):
        line = Line(row["productID"], Decimal(row["unitPrice"]), int(row["quantity"]))
        lines[row["orderID"]].append(line)
    for row in rows("orders.csv", "shipAddress"):
        address = {
            "name": row["shipName"],
            "street_1": row["shipAddress"],
            "city": row["shipCity"],
            "state": row["shipRegion"],
            "postal_code": row["shipPostalCode"],
            "country": row["shipCountry"],
        }
        yield Order(row["customerID"], address, lines[row["orderID"]])


class Shop:
    """A client of the API, over one connection."""

    def __init__(self, url):
        self.url = url
        self.connection = HTTPConnection(url.removeprefix("http://"), timeout=30)

    def call(self, method, path, body=None, token=None):
        """The JSON of the answer, which must be a success."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Token {token}"
        self.connection.request(method, path, body and json.dumps(body), headers)
        response = self.connection.getresponse()
        answer = json.load(response)
        assert response.status in (200, 201), answer
        return answer

    def log_in(self, username):
        who = {"username": username, "password": PASSWORD}
        return self.call("POST", "/api/obtain-token/", who)["token"]

    def everything(self, path, token=None, more=""):
        """The results on all pages of a list, following `next`; only the last may be short."""
        path, results = f"{path}?items_per_page={PER_PAGE}{more}", []
        while path:
            page = self.call("GET", path, token=token)
            assert len(page["results"]) == PER_PAGE or not page["next"]
            results += page["results"]
            path = page["next"] and page["next"].removeprefix(self.url)
        return results


@pytest.fixture
def shop(live_server, monkeypatch):
    # The server sends head and body apart: Nagle would hold the body back 40 ms, every time.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    shop = Shop(live_server.url)
    yield shop
    shop.connection.close()


def register(shop, profile):
    """Open an account and return its token."""
    answer = shop.call("POST", "/api/customers/", profile | {"password": PASSWORD})
    assert answer == answer | profile
    token = shop.log_in(profile["username"])
    assert shop.call("GET", "/api/customers/me/", token=token) == answer
    return token


def place(shop, order, products, token):
    """Place the order and hold the answer against the book."""
    lines = [(line, products[line.product]) for line in order.lines]
    items = [{"product": product["id"], "quantity": line.quantity} for line, product in lines]
    body = {"items": items, "shipping_address": order.address}
    answer = shop.call("POST", "/api/orders/", body, token)
    assert answer["total_price"] == str(sum(line.total for line in order.lines))
    assert answer["shipping_address"] == answer["shipping_address"] | order.address
    assert answer["items"] == [
        {
            "product": product["id"],
            "name": product["name"],
            "sku": product["sku"],
            "unit_price": str(line.unit_price),
            "quantity": line.quantity,
            "line_total": str(line.total),
        }
        for line, product in lines
    ]
    return answer


def test_book_is_read_whole():
    customers, orders = read_customers().values(), list(read_orders())
    assert (len(customers), len({customer["country"] for customer in customers})) == (91, 21)
    assert len(read_products()) == 77
    assert (len(orders), sum(len(order.lines) for order in orders)) == (830, 2155)
    assert all(len(order.lines) == len({line.product for line in order.lines}) for order in orders)


def test_replayed_book_ends_with_its_totals_stock_and_histories(shop, clerk):
    clerk.change_password(PASSWORD)
    staff = shop.log_in(clerk.username)
    tokens = {name: register(shop, profile) for name, profile in read_customers().items()}

    book, products, sold = list(read_orders()), {}, Counter()
    for order in book:
        sold.update({line.product: line.quantity for line in order.lines})
    for number, fields in read_products().items():
        opening = fields | {"quantity_in_stock": fields["quantity_in_stock"] + sold[number]}
        products[number] = shop.call("POST", "/api/products/", opening, staff)
        assert products[number] == products[number] | opening

    placed, histories = [], defaultdict(list)
    for order in book:
        for line in order.lines:
            product = products[line.product]
            if product["price"] != str(line.unit_price):
                path, change = f"/api/products/{product['id']}/", {"price": str(line.unit_price)}
                products[line.product] = shop.call("PATCH", path, change, staff)
        answer = place(shop, order, products, tokens[order.customer])
        placed.append(answer)
        histories[order.customer].append(answer)
    assert sum(Decimal(answer["total_price"]) for answer in placed) == TOTAL

    ends = [(row["sku"], row["quantity_in_stock"]) for row in read_products().values()]
    catalogue = shop.everything("/api/products/")
    assert [(row["sku"], row["quantity_in_stock"]) for row in catalogue] == ends

    as_staff = [answer | {"actions": ["confirm", "cancel"]} for answer in placed[::-1]]
    assert shop.everything("/api/orders/", staff, "&customer=all") == as_staff
    for name, token in tokens.items():
        assert shop.everything("/api/orders/", token) == histories[name][::-1]
