"""What is asked of a shop of so many products, in one process; prints what it took, as JSON."""

import io
import json
import resource
import sys
import time
from base64 import b64encode
from itertools import cycle

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db.models import F  # noqa: E402
from django.test import Client  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from products.models import Product  # noqa: E402

# That what each takes is its own: the first time it finds the processor's caches and the database's
# full of what was asked for before, which may be all of the shop.
IN_A_ROW = 5
COLD = {"own orders": "own orders, right after the search"}
TIMES = 10


def rows(size):
    """`{name: (path, tokens)}`, the tokens to ask with in turn."""
    last = size * 49 // 50 // 5  # one in fifty is retired, and there are five to a page
    keys = Token.objects.order_by("user_id").values_list("key", flat=True)
    customers, clerk = keys.filter(user__is_staff=False), keys.get(user__is_staff=True)
    far = b64encode(f"p={size}".encode()).decode()  # of twice as many orders
    products = {
        "first page": "",
        "page 100": "?page=100",
        "middle page": f"?page={last // 2}",
        "last page": f"?page={last}",
        "first page, by price": "?ordering=-price",
        "last page, by name": f"?ordering=name&page={last}",
        "search that finds 1": f"?search=-{size - 2}",
        "search that finds 1 in 20": "?search=ethiopia",
        "within a price": "?min_price=9&max_price=9.10",
        "at a price or more": "?min_price=9",
        "in stock": "?in_stock=true",
        "in stock, and a search": "?in_stock=true&search=ethiopia",
    }
    orders = {
        "own orders": ("", customers),
        "own orders, half way down": (f"?cursor={far}", customers),
        "all orders, for staff": ("?customer=all", [clerk]),
        "all orders, half way down": (f"?customer=all&cursor={far}", [clerk]),
    }
    return {name: (f"/api/products/{query}", cycle([None])) for name, query in products.items()} | {
        name: (f"/api/orders/{query}", cycle(tokens)) for name, (query, tokens) in orders.items()
    }


def sell():
    """Write to a product as a sale does, so that no kept page answers."""
    Product.objects.filter(pk=1).update(quantity_in_stock=F("quantity_in_stock"))


def milliseconds(act, *args, **kwargs):
    began = time.perf_counter()
    result = act(*args, **kwargs)
    return (time.perf_counter() - began) * 1_000, result


def send(client, path, token):
    headers = {"Authorization": f"Token {token}"} if token else {}
    took, response = milliseconds(client.get, path, headers=headers)
    if response.status_code != 200 or not response.json()["results"]:
        sys.exit(f"{path}: {response.status_code} {response.content}")
    return took


def measure(size):
    client, took = Client(SERVER_NAME="127.0.0.1"), {}
    requests = rows(size)
    for _ in range(TIMES):
        for name, (path, tokens) in requests.items():
            for number in range(1 + IN_A_ROW):
                sell()
                one = send(client, path, next(tokens))
                row = name if number else COLD.get(name)
                if row:
                    took.setdefault(row, []).append(one)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    verify = milliseconds(call_command, "verify_stock", stdout=io.StringIO())
    took["manage.py verify_stock"] = [verify[0]]
    return {"rows": took, "memory": memory}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
