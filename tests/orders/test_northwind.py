"""Northwind Traders' order book of 1996 to 1998, replayed over HTTP.

`NORTHWIND_DIR` is the folder of its CSV files; a relative path starts at the root of the
repository. The book's discounts are left out: an item's total is its price times its quantity.
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


class Item(NamedTuple):
    product: str  # its number in the book
    unit_price: Decimal
    quantity: int

    @property
    def total(self):
        return self.unit_price * self.quantity


class Order(NamedTuple):
    customer: str
    address: dict
    items: list[Item]


def rows(name, address=""):
    """Yield the file's rows as dicts, with "" for NULL. An unquoted `address` may have commas."""
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
    """Return profiles by customer id."""
    return {
        row["customerID"]: {
            "username": row["customerID"].lower(),
            "email": f"{row['customerID'].lower()}@northwind.example",
            "first_name": row["contactName"].partition(" ")[0],
            "last_name": row["contactName"].partition(" ")[2],
            "contact_number": row["phone"],
            "street_1": row["address"],
            "street_2": row["companyName"],  # accounts have no company field
            "city": row["city"],
            "state": row["region"],
            "postal_code": row["postalCode"],
            "country": row["country"],
        }
        for row in rows("customers.csv", "address")
    }


def read_products():
    """Return products by number, with their catalogue price and the stock at the book's end."""
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
    """Yield orders in the sequence in which they came in."""
    items = defaultdict(list)
    for row in rows("order-details.csv"):
        item = Item(row["productID"], Decimal(row["unitPrice"]), int(row["quantity"]))
        items[row["orderID"]].append(item)
    for row in rows("orders.csv", "shipAddress"):
        address = {
            "name": row["shipName"],
            "street_1": row["shipAddress"],
            "city": row["shipCity"],
            "state": row["shipRegion"],
            "postal_code": row["shipPostalCode"],
            "country": row["shipCountry"],
        }
        yield Order(row["customerID"], address, items[row["orderID"]])


class Shop:
    """A client of the API, over one connection."""

    def __init__(self, url):
        self.url = url
        self.connection = HTTPConnection(url.removeprefix("http://"), timeout=30)

    def call(self, method, path, body=None, token=None):
        """Return the JSON of the response, which must be a success."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Token {token}"
        self.connection.request(method, path, body and json.dumps(body), headers)
        response = self.connection.getresponse()
        data = json.load(response)
        assert response.status in (200, 201), data
        return data

    def log_in(self, username):
        credentials = {"username": username, "password": PASSWORD}
        return self.call("POST", "/api/obtain-token/", credentials)["token"]

    def list_all(self, path, token=None, query=""):
        """Return the results of all pages, following `next`; only the last page may be short."""
        path, results = f"{path}?items_per_page={PER_PAGE}{query}", []
        while path:
            page = self.call("GET", path, token=token)
            assert len(page["results"]) == PER_PAGE or not page["next"]
            results += page["results"]
            path = page["next"] and page["next"].removeprefix(self.url)
        return results


@pytest.fixture
def shop(live_server, monkeypatch):
    # The server sends head and body separately: Nagle would delay each body by 40 ms.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    shop = Shop(live_server.url)
    yield shop
    shop.connection.close()


def register(shop, profile):
    """Open an account and return its token."""
    data = shop.call("POST", "/api/customers/", profile | {"password": PASSWORD})
    assert data == data | profile
    token = shop.log_in(profile["username"])
    assert shop.call("GET", "/api/customers/me/", token=token) == data
    return token


def place(shop, order, products, token):
    """Place the order and compare the response with the book."""
    pairs = [(item, products[item.product]) for item in order.items]
    items = [{"product": product["id"], "quantity": item.quantity} for item, product in pairs]
    body = {"items": items, "shipping_address": order.address}
    data = shop.call("POST", "/api/orders/", body, token)
    assert data["total_price"] == str(sum(item.total for item in order.items))
    assert data["shipping_address"] == data["shipping_address"] | order.address
    assert data["items"] == [
        {
            "product": product["id"],
            "name": product["name"],
            "sku": product["sku"],
            "unit_price": str(item.unit_price),
            "quantity": item.quantity,
            "line_total": str(item.total),
            "returned": 0,
        }
        for item, product in pairs
    ]
    return data


def test_book_is_read_whole():
    customers, orders = read_customers().values(), list(read_orders())
    assert (len(customers), len({customer["country"] for customer in customers})) == (91, 21)
    assert len(read_products()) == 77
    assert (len(orders), sum(len(order.items) for order in orders)) == (830, 2155)
    assert all(len(order.items) == len({item.product for item in order.items}) for order in orders)


def test_replayed_book_ends_with_its_totals_stock_and_histories(shop, clerk):
    clerk.change_password(PASSWORD)
    staff = shop.log_in(clerk.username)
    tokens = {name: register(shop, profile) for name, profile in read_customers().items()}

    book, products, sold = list(read_orders()), {}, Counter()
    for order in book:
        sold.update({item.product: item.quantity for item in order.items})
    for number, fields in read_products().items():
        opening = fields | {"quantity_in_stock": fields["quantity_in_stock"] + sold[number]}
        products[number] = shop.call("POST", "/api/products/", opening, staff)
        assert products[number] == products[number] | opening

    placed, histories = [], defaultdict(list)
    for order in book:
        for item in order.items:
            product = products[item.product]
            if product["price"] != str(item.unit_price):
                path, change = f"/api/products/{product['id']}/", {"price": str(item.unit_price)}
                products[item.product] = shop.call("PATCH", path, change, staff)
        data = place(shop, order, products, tokens[order.customer])
        placed.append(data)
        histories[order.customer].append(data)
    assert sum(Decimal(data["total_price"]) for data in placed) == TOTAL

    expected_stock = [(row["sku"], row["quantity_in_stock"]) for row in read_products().values()]
    catalogue = shop.list_all("/api/products/")
    assert [(row["sku"], row["quantity_in_stock"]) for row in catalogue] == expected_stock

    expected_orders = [
        data | {"actions": ["confirm", "cancel", "correct_address"]} for data in placed[::-1]
    ]
    assert shop.list_all("/api/orders/", staff, "&customer=all") == expected_orders
    for name, token in tokens.items():
        assert shop.list_all("/api/orders/", token) == histories[name][::-1]
