"""A page on another origin orders in headless Chromium, from a real server.

`make browser` runs this; the suite does not collect it, since it needs Chromium.
"""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from urllib.parse import urlencode

import pytest

from orders.models import Order
from tests import factories
from tests.servers import Server

PAGE = Path(__file__).with_name("page.html").read_bytes()
CHROMIUM = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--remote-debugging-port=0"),  # the port keeps it open
)
OUTCOMES = [
    *(("register", 201), ("log in", 200), ("list", 200), ("list again", 304), ("quote", 200)),
    *(("order", 201), ("order again", 201), ("order too many", 409)),
]


class PageServer(ThreadingHTTPServer):
    """Serves the page, and queues what it reports."""

    def __init__(self):
        self.reports = Queue()
        super().__init__(("127.0.0.1", 0), PageHandler)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server_port}"


class PageHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.reports.put(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def page():
    with PageServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def product(transactional_db):
    return factories.products.make(quantity_in_stock=10)


@pytest.fixture
def visit(page, product, tmp_path):
    """`visit(DEBUG="true")` returns what the page reports of a server with these settings."""

    def visit(**environment):
        server = Server(workers=1, **environment).start()
        query = urlencode({"shop": f"http://127.0.0.1:{server.port}", "product": product.pk})
        command = [*CHROMIUM, f"--user-data-dir={tmp_path}", f"{page.origin}/?{query}"]
        browser = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            return page.reports.get(timeout=60)
        finally:
            browser.terminate()
            browser.wait(timeout=30)
            server.stop()

    return visit


@pytest.mark.parametrize("setting", ["list", "pattern", "debug"])
def test_page_of_an_allowed_origin_orders(setting, page, product, visit):
    report = visit(
        **{
            "list": {"CORS_ALLOWED_ORIGINS": page.origin},
            "pattern": {"CORS_ALLOWED_ORIGIN_REGEXES": r"http://127\.0\.0\.1:[0-9]+"},
            "debug": {"DEBUG": "true"},
        }[setting]
    )
    responses = {response["name"]: response for response in report["responses"]}
    assert report["error"] is None
    assert [(name, response["status"]) for name, response in responses.items()] == OUTCOMES
    for response in responses.values():
        assert {"x-request-id", "ratelimit", "ratelimit-policy"} <= response["headers"].keys()

    order, replayed = responses["order"], responses["order again"]
    assert order["headers"]["location"].endswith(f"/api/orders/{order['body']['id']}/")
    assert replayed["headers"]["idempotent-replayed"] == "true"
    assert replayed["body"] == order["body"]
    assert Order.objects.get().pk == order["body"]["id"]

    problem = responses["order too many"]["body"]
    assert (problem["code"], problem["suggested_items"]) == (
        "out_of_stock",
        [{"product": product.pk, "quantity": 8}],
    )
    (error,) = problem["errors"]
    assert (error["pointer"], error["available"]) == ("/items/0/quantity", 8)


@pytest.mark.parametrize("allowed", ["", "https://front.example"])
def test_page_of_another_origin_cannot(allowed, visit):
    """The control: a preflight without permission, after which the browser sends nothing."""
    report = visit(CORS_ALLOWED_ORIGINS=allowed)
    assert (report["responses"], report["error"]) == ([], "TypeError: Failed to fetch")
    assert not Order.objects.exists()
