"""What Prometheus reads of orders, and of the books of the stock."""

import logging
import threading
import time

import orjson
from django.db import DatabaseError, connection
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily

from orders import books

logger = logging.getLogger(__name__)

BOOKS_INTERVAL = 600  # seconds: it reads all lines of all orders

orders = Counter("shopply_orders", "Orders asked for, by what became of them.", ["outcome"])
orders.labels("placed")  # 0 until the first
units = Counter("shopply_units_sold", "Pieces on orders that were placed.")
stock_outs = Counter("shopply_stock_outs", "Lines of orders that the stock did not suffice for.")


def count_order(response):
    """Count the answer to a POST of an order."""
    data = orjson.loads(response.content)
    if response.status_code != 201:
        orders.labels(data["code"]).inc()
        if data["code"] == "out_of_stock":
            stock_outs.inc(len(data["errors"]))
    elif "Idempotent-Replayed" in response:
        orders.labels("replayed").inc()
    else:
        orders.labels("placed").inc()
        units.inc(sum(item["quantity"] for item in data["items"]))


class BooksCollector:
    """How many products are unbalanced, counted again every BOOKS_INTERVAL."""

    count, next_refresh = None, 0

    def collect(self):
        if time.monotonic() >= self.next_refresh:
            self.next_refresh = time.monotonic() + BOOKS_INTERVAL
            threading.Thread(target=self.refresh, daemon=True).start()
        if self.count is not None:
            yield GaugeMetricFamily(
                "shopply_books_off", "Products whose stock does not add up.", value=self.count
            )

    def refresh(self):
        """By a thread and a connection of its own: meanwhile requests go on."""
        try:
            self.count = books.unbalanced().count()
        except DatabaseError as exc:
            logger.warning("The books could not be checked: %s", exc)
        finally:
            connection.close()
