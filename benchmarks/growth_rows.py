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
from django.db import transaction  # noqa: E402
from django.test import Client  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from products.models import Product  # noqa: E402

# That what each takes is its own: the first time it finds the processor's caches and the database's
# full of what was asked for before, which may be all of the shop.
IN_A_ROW = 5
COLD = {"own orders": "own orders, right after the search"}
TIMES, SELDOM = 10, 2
AFTER_AN_EDIT = (
    *("first page", "middle page", "search that finds 1", "search that finds 1 in 20"),
    "at a price or more",
)


def rows(size):
    """`{name: (path, tokens)}`, the tokens to ask with in turn."""
    last = size * 49 // 50 // 5  # one in fifty is retired, and there are five to a page
    keys = Token.objects.order_by("user_id").values_list("key", flat=True)
    customers, clerk = keys.filter(user__is_staff=False), keys.get(user__is_staff=True)
    far = b64encode(f"p={size}".encode()).decode()  # of twice as many orders
    products = {
        "first page": "",
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
    with transaction.atomic():
        Product.objects.put_back({1: 0})


def edit():
    Product.objects.get(pk=1).revise(price="9.05")


def milliseconds(act, *args, **kwargs):
    began = time.perf_counter()
    answer = act(*args, **kwargs)
    return (time.perf_counter() - began) * 1_000, answer


def ask(client, path, token):
    headers = {"Authorization": f"Token {token}"} if token else {}
    took, answer = milliseconds(client.get, path, headers=headers)
    if answer.status_code != 200 or not answer.json()["results"]:
        sys.exit(f"{path}: {answer.status_code} {answer.content}")
    return took


def measure(size):
    client, asked, took = Client(), rows(size), {}
    edited = {name: asked[name] for name in AFTER_AN_EDIT}
    # Kept pages are of no use after a sale, nor is what a search found after an edit.
    for when, write, rounds, which in (
        ("", sell, TIMES, asked),
        (", after an edit", edit, SELDOM, edited),
    ):
        for _ in range(rounds):
            for name, (path, tokens) in which.items():
                for number in range(1 + IN_A_ROW):
                    write()
                    one = ask(client, path, next(tokens))
                    row = name + when if number else COLD.get(name)
                    if row:
                        took.setdefault(row, []).append(one)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    verify = milliseconds(call_command, "verify_stock", stdout=io.StringIO())
    took["manage.py verify_stock"] = [verify[0]]
    return {"rows": took, "memory": memory}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
