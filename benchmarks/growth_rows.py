"""Send requests to a shop of the given size in one process; print the durations as JSON."""

import io
import json
import resource
import sys
import time
from base64 import b64encode
from datetime import timedelta
from itertools import cycle

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db.models import F  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from products.models import Product  # noqa: E402

# Each request is repeated and its first duration is not counted: the request before it, which may
# have read the whole shop, has filled the caches of the processor and of the database.
IN_A_ROW = 5
COLD = {"own orders": "own orders, right after the search"}
REPEATS = 2
ADMIN_PAGES = {
    "admin, the first page": "/admin/",
    "admin, the stock of a product": "/admin/products/product/1/stock/",
}


def admin_searches(size):
    """Return `{name: path}` of searches of orders; in one of 20 is a product from Ethiopia."""
    sku = Product.objects.get(pk=size // 2).sku
    month = timezone.now() - timedelta(days=180)
    searches = {
        "an order": f"%23{size}",
        "a SKU": sku,
        "an e-mail address": get_user_model().objects.exclude(is_staff=True).last().email,
        "a word of each order": "x",
        "a word of 1 in 20": "ethiopia",
        "words of 1 in 100": "ethiopia+natural",
        "words of 1 in 10,000": "ethiopia+natural+worka+250",
        "a phrase of 1 in 500": "%22ethiopia+las+palmas%22",
        "the beginning of a word": "ethio",
        "no order": "nothing",
        "no order, and a word of 1 in 20": "ethiopia+nothing",
        "a word of 1 in 20, by status": "ethiopia&status__exact=confirmed",
        "a word of 1 in 20, by month": (
            f"ethiopia&created__year={month.year}&created__month={month.month}"
        ),
        "a SKU, by status and year": f"{sku}&status__exact=delivered&created__year={month.year}",
    }
    return {
        f"admin, search for {name}": f"/admin/orders/order/?q={query}"
        for name, query in searches.items()
    }


def rows(size):
    """Return `{name: (path, tokens)}`; the tokens are used in turn."""
    last_page = size * 49 // 50 // 5  # one in fifty is retired, and a page has five
    keys = Token.objects.order_by("user_id").values_list("key", flat=True)
    customers, clerk = keys.filter(user__is_staff=False), keys.get(user__is_staff=True)
    middle_cursor = b64encode(f"p={size}".encode()).decode()  # there are twice as many orders
    products = {
        "first page": "",
        "page 100": "?page=100",
        "middle page": f"?page={last_page // 2}",
        "last page": f"?page={last_page}",
        "first page, by price": "?ordering=-price",
        "last page, by name": f"?ordering=name&page={last_page}",
        "search that finds 1": f"?search=-{size - 2}",
        "search that finds 1 in 20": "?search=ethiopia",
        "within a price": "?min_price=9&max_price=9.10",
        "at a price or more": "?min_price=9",
        "in stock": "?in_stock=true",
        "in stock, and a search": "?in_stock=true&search=ethiopia",
    }
    orders = {
        "own orders": ("", customers),
        "own orders, half way down": (f"?cursor={middle_cursor}", customers),
        "all orders, for staff": ("?customer=all", [clerk]),
        "all orders, half way down": (f"?customer=all&cursor={middle_cursor}", [clerk]),
    }
    return {name: (f"/api/products/{query}", cycle([None])) for name, query in products.items()} | {
        name: (f"/api/orders/{query}", cycle(tokens)) for name, (query, tokens) in orders.items()
    }


def sell():
    """Write to a product as a sale does, so that no cached page is returned."""
    Product.objects.filter(pk=1).update(quantity_in_stock=F("quantity_in_stock"))


def measure_ms(function, *args, **kwargs):
    began = time.perf_counter()
    result = function(*args, **kwargs)
    return (time.perf_counter() - began) * 1_000, result


def send(client, path, token):
    headers = {"Authorization": f"Token {token}"} if token else {}
    duration, response = measure_ms(client.get, path, headers=headers)
    if response.status_code != 200 or not response.json()["results"]:
        sys.exit(f"{path}: {response.status_code} {response.content}")
    return duration


def log_in_to_admin():
    client = Client(SERVER_NAME="127.0.0.1")
    root = {"username": "root", "is_staff": True, "is_superuser": True}
    client.force_login(get_user_model().objects.get_or_create(**root)[0])
    return client


def open_page(client, path):
    duration, response = measure_ms(client.get, path)
    if response.status_code != 200:
        sys.exit(f"{path}: {response.status_code} {response.content}")
    return duration


def measure(size):
    client, durations = Client(SERVER_NAME="127.0.0.1"), {}
    admin, searches = log_in_to_admin(), admin_searches(size)
    requests = rows(size)
    for _ in range(REPEATS):
        for name, (path, tokens) in requests.items():
            for number in range(1 + IN_A_ROW):
                sell()
                duration = send(client, path, next(tokens))
                row = name if number else COLD.get(name)
                if row:
                    durations.setdefault(row, []).append(duration)
        for name, path in (ADMIN_PAGES | searches).items():
            open_page(admin, path)
            durations.setdefault(name, []).extend(open_page(admin, path) for _ in range(IN_A_ROW))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    verification = measure_ms(call_command, "verify_stock", stdout=io.StringIO())
    durations["manage.py verify_stock"] = [verification[0]]
    return {"rows": durations, "memory": memory}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
