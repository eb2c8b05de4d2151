"""What Prometheus reads: counts of all worker processes, and the state of the database.

prometheus_client keeps the counts of each process in a file that outlives it, in a directory that
`shopply.server` makes.
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

from orders.metrics import BooksCollector, count_order
from shopply import faults
from shopply.logging_config import route_of

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

requests_total = Counter("shopply_requests", "Requests.", ["method", "route", "status"])
seconds = Histogram("shopply_request_seconds", "Latency.", ["method", "route"], buckets=BUCKETS)


def requests(get_response):
    """Middleware that counts the requests, if somebody may read the counts."""
    if not settings.METRICS_TOKEN:
        raise MiddlewareNotUsed

    def middleware(request):
        started = perf_counter()
        response = get_response(request)
        duration = perf_counter() - started
        method = request.method if request.method in METHODS else "OTHER"
        route, status = route_of(request) or "none", response.status_code
        requests_total.labels(method, route, status).inc()
        seconds.labels(method, route).observe(duration)
        if (method, route) == ("POST", "/api/orders/"):
            count_order(response)
        return response

    return middleware


class DatabaseCollector:
    """What only the database knows."""

    books = BooksCollector()

    def collect(self):
        up = faults.fault_in_time() is None
        yield GaugeMetricFamily("shopply_database_up", "Whether the database serves.", value=up)
        if up:
            yield from self.books.collect()


database = CollectorRegistry()
database.register(DatabaseCollector())


@require_safe
def metrics(request):
    """For requests with `Authorization: Bearer <METRICS_TOKEN>`; a 404 for all others."""
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    sent = request.META.get("HTTP_AUTHORIZATION", "").encode(errors="replace")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(sent, expected):
        raise Http404
    counts = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counts = CollectorRegistry()
        multiprocess.MultiProcessCollector(counts)
    return HttpResponse(generate_latest(counts) + generate_latest(database), CONTENT_TYPE_LATEST)
