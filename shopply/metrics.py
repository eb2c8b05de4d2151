"""Metrics for Prometheus: counters of all worker processes, and the state of the database.

prometheus_client keeps the counters of each process in a file that outlives it, in a directory that
`shopply.server` creates.
"""

import hmac
import os
from time import perf_counter

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
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

from changes.metrics import FeedCollector
from orders.metrics import StockLedgerCollector, count_order
from products.metrics import LowStockCollector
from shopply import database_status, task_queue
from shopply.logging_config import get_route
from webhooks.metrics import WebhookCollector

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

requests_total = Counter("shopply_requests", "Requests.", ["method", "route", "status"])
request_seconds = Histogram(
    "shopply_request_seconds", "Latency.", ["method", "route"], buckets=BUCKETS
)


def count_requests(get_response):
    """Return middleware that counts requests, if METRICS_TOKEN lets somebody read the counts."""
    if not settings.METRICS_TOKEN:
        raise MiddlewareNotUsed

    def middleware(request):
        started = perf_counter()
        response = get_response(request)
        duration = perf_counter() - started
        method = request.method if request.method in METHODS else "OTHER"
        route, status = get_route(request) or "none", response.status_code
        requests_total.labels(method, route, status).inc()
        request_seconds.labels(method, route).observe(duration)
        if (method, route) == ("POST", "/api/orders/"):
            count_order(response)
        return response

    return middleware


class TaskCollector:
    def collect(self):
        backlog = task_queue.get_backlog()
        if backlog is None:
            return
        for name, description, value in (
            ("waiting", "Tasks that are due.", backlog.waiting),
            ("oldest_seconds", "For how long the oldest of them has been.", backlog.oldest_seconds),
            ("retrying", "Tasks that wait for their next attempt.", task_queue.count_retries()),
            ("failed", "Tasks that failed for good.", task_queue.count_failed()),
        ):
            yield GaugeMetricFamily(f"shopply_tasks_{name}", description, value=value)


class DatabaseCollector:
    """Gauges of the database."""

    collectors = (
        *(FeedCollector(), TaskCollector(), StockLedgerCollector(), LowStockCollector()),
        WebhookCollector(),
    )

    def collect(self):
        up = database_status.check_database_with_timeout() is None
        yield GaugeMetricFamily(
            "shopply_database_up", "Whether the database responds and is migrated.", value=up
        )
        if up:
            for collector in self.collectors:
                yield from collector.collect()


database = CollectorRegistry()
database.register(DatabaseCollector())


@require_safe
def metrics(request):
    """Respond to `Authorization: Bearer <METRICS_TOKEN>`; a 404 for all others."""
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    sent = request.META.get("HTTP_AUTHORIZATION", "").encode(errors="replace")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(sent, expected):
        raise Http404
    counts = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counts = CollectorRegistry()
        multiprocess.MultiProcessCollector(counts)
    return HttpResponse(generate_latest(counts) + generate_latest(database), CONTENT_TYPE_LATEST)
