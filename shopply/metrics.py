"""What Prometheus reads: counts of all worker processes, and what the database tells at the moment.

Requests are read at the edge, so that the apps know nothing of it. prometheus_client keeps the
counts of each process in a file that outlives it, in a directory that `shopply.server` makes.
"""

import hmac
import logging
import os
import threading
import time
from time import perf_counter

import orjson
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DatabaseError, connection
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily

from orders import books
from shopply import faults
from shopply.logging_config import route_of

logger = logging.getLogger("shopply.metrics")

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ORDERS = "/api/orders/"
BOOKS_EVERY = 600  # seconds: it reads all lines of all orders

requests_total = Counter("shopply_requests", "Requests.", ["method", "route", "status"])
seconds = Histogram("shopply_request_seconds", "Latency.", ["method", "route"], buckets=BUCKETS)
orders = Counter("shopply_orders", "Orders asked for, by what became of them.", ["outcome"])
orders.labels("placed")  # 0 until the first
units = Counter("shopply_units_sold", "Pieces on orders that were placed.")
stock_outs = Counter("shopply_stock_outs", "Lines of orders that the stock did not suffice for.")
database_errors = Counter("shopply_database_errors", "Requests that the database failed.")


def requests(get_response):
    """Count the requests; only if somebody may read the counts."""
    if not settings.METRICS_TOKEN:
        raise MiddlewareNotUsed
    kept = {}  # to look one up by its labels costs as much as to count

    def middleware(request):
        began = perf_counter()
        response = get_response(request)
        took = perf_counter() - began
        method = request.method if request.method in METHODS else "OTHER"
        route, status = route_of(request) or "none", response.status_code
        pair = kept.get((method, route, status))
        if pair is None:
            pair = requests_total.labels(method, route, status), seconds.labels(method, route)
            kept[method, route, status] = pair
        pair[0].inc()
        pair[1].observe(took)
        if route == ORDERS and method == "POST":
            count_order(response)
        if status == 503 and route != "/readyz":
            database_errors.inc()
        return response

    return middleware


def count_order(response):
    told = orjson.loads(response.content)
    if response.status_code != 201:
        orders.labels(told["code"]).inc()
        if told["code"] == "out_of_stock":
            stock_outs.inc(len(told["errors"]))
    elif "Idempotent-Replayed" in response:
        orders.labels("replayed").inc()
    else:
        orders.labels("placed").inc()
        units.inc(sum(item["quantity"] for item in told["items"]))


class Live:
    """What only the database knows."""

    books_off, look_at = None, 0

    def collect(self):
        up = faults.fault_in_time() is None
        yield GaugeMetricFamily("shopply_database_up", "Whether the database serves.", value=up)
        if up and time.monotonic() >= self.look_at:
            self.look_at = time.monotonic() + BOOKS_EVERY
            threading.Thread(target=self.look, daemon=True).start()
        if self.books_off is not None:
            yield GaugeMetricFamily(
                "shopply_books_off", "Products whose stock does not add up.", value=self.books_off
            )

    def look(self):
        """By a thread and a connection of its own: meanwhile requests go on."""
        try:
            self.books_off = books.unbalanced().count()
        except DatabaseError as exc:
            logger.warning("The books could not be looked at: %s", exc)
        finally:
            connection.close()


live = CollectorRegistry()
live.register(Live())


@require_safe
def metrics(request):
    """For who sends `Authorization: Bearer <METRICS_TOKEN>`; for others there is nothing here."""
    token = f"Bearer {settings.METRICS_TOKEN}".encode()
    given = request.META.get("HTTP_AUTHORIZATION", "").encode(errors="replace")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given, token):
        raise Http404
    counted = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counted = CollectorRegistry()
        multiprocess.MultiProcessCollector(counted)
    return HttpResponse(generate_latest(counted) + generate_latest(live), CONTENT_TYPE_LATEST)
