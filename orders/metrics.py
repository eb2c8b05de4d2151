"""What Prometheus reads about orders and the stock ledger."""

import logging
import threading
import time

import orjson
from django.db import DatabaseError, connection
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily

from orders import stock_ledger

logger = logging.getLogger(__name__)

LEDGER_INTERVAL = 600  # seconds: the count reads all items of all orders

orders = Counter("shopply_orders", "Requests for an order, by outcome.", ["outcome"])
orders.labels("placed")  # 0 until the first
units = Counter("shopply_units_sold", "Pieces on placed orders.")
stock_outs = Counter("shopply_stock_outs", "Items of orders that were short of stock.")


def count_order(response):
    """Count the response to a POST of an order."""
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


class StockLedgerCollector:
    """The number of products whose stock does not add up, counted again every LEDGER_INTERVAL."""

    count, next_refresh = None, 0

    def collect(self):
        if time.monotonic() >= self.next_refresh:
            self.next_refresh = time.monotonic() + LEDGER_INTERVAL
            threading.Thread(target=self.refresh, daemon=True).start()
        if self.count is not None:
            yield GaugeMetricFamily(
                "shopply_books_off", "Products whose stock does not add up.", value=self.count
            )

    def refresh(self):
        """Count in a thread and with a connection of its own: requests go on meanwhile."""
        try:
            self.count = stock_ledger.find_discrepancies().count()
        except DatabaseError as exc:
            logger.warning("The stock ledger could not be checked: %s", exc)
        finally:
            connection.close()
