"""Two copies of the shop behind nginx, as `deploy/compose.yaml` has them, on one database.

The tests of races and of idempotency keys in tests/orders run here too, with the copies as their
shop. `make deploy-check` runs this, as it needs nginx; `pytest tests/deploy/copies.py` works alone.
"""

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from orders.models import Order
from tests import factories, pictures
from tests.contract import ContractClient
from tests.deploy.shoppers import Shoppers

# The tests, for pytest to collect here too, and their fixtures.
from tests.orders.test_idempotency import *  # noqa: F403
from tests.orders.test_races import *  # noqa: F403
from tests.servers import Server, free_port

# Neither goes through nginx: one calls the manager, and the keys of the other are invalid HTTP.
del test_key_taken_between_check_and_write_returns_the_first_response  # noqa: F821  the star has both
del test_key_that_is_no_http_field_value_is_named  # noqa: F821

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")

pytestmark = pytest.mark.skipif(not NGINX, reason="no nginx is installed")


class Copies:
    """Servers of two workers each, and nginx before them, configured as for compose."""

    def __init__(self, folder, copies=2, **options):
        quiet = {"out": subprocess.DEVNULL, "log": subprocess.DEVNULL}
        options = {"NUM_PROXIES": "1", **quiet, **options}
        self.servers = [Server(workers=2, **options) for _ in range(copies)]
        self.port = free_port()
        config = (settings.BASE_DIR / "deploy/nginx.conf").read_text(encoding="utf-8")
        config = config.replace("/tmp/", f"{folder}/")  # noqa: S108
        for number, server in enumerate(self.servers, start=1):
            config = config.replace(f"shop{number}:8000", f"127.0.0.1:{server.port}")
        config = re.sub("server shop.*", "", config)
        config = config.replace("listen 8080", f"listen 127.0.0.1:{self.port}")
        self.log = Path(folder, "answered-by")
        config = config.replace(
            "access_log off", f"log_format copy $upstream_addr; access_log {self.log} copy"
        )
        self.settings = Path(folder, "nginx.conf")
        self.settings.write_text(config, encoding="utf-8")

    def start(self):
        for server in self.servers:
            server.start()
        # If root starts nginx, its workers could not write to the test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        command = [NGINX, "-c", self.settings, "-g", f"daemon off; {user}"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while self.process.poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            time.sleep(0.02)
        self.stop()
        raise AssertionError("nginx does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        for server in self.servers:
            with suppress(ProcessLookupError):
                server.stop()

    client = Server.client  # connects to nginx's port

    def send(self, environ):
        """Send a request of Django's test client to nginx and return the response."""
        request = WSGIRequest(environ)
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as peer:
            peer.request(request.method, request.get_full_path(), request.body, request.headers)
            upstream_response = peer.getresponse()
            content = upstream_response.read()
        response = HttpResponse(
            content, status=upstream_response.status, headers=dict(upstream_response.headers)
        )
        response.wsgi_request = request
        return response


@pytest.fixture(scope="module")
def running_shop(django_db_setup, tmp_path_factory):
    """The copies, in place of the single server that the imported tests use elsewhere."""
    copies = Copies(tmp_path_factory.mktemp("copies")).start()
    yield copies
    copies.stop()


@pytest.fixture
def unguarded_shop(start):
    return start(module="tests.orders.unguarded")


@pytest.fixture
def api(running_shop, transactional_db):
    """Django's test client, with requests sent to nginx."""

    class Client(ContractClient):
        def __init__(self):
            super().__init__()
            self.handler = running_shop.send

    return Client()


@pytest.fixture
def start(transactional_db, tmp_path):
    instances = []

    def start(**options):
        instances.append(Copies(tmp_path, **options).start())
        return instances[-1]

    yield start
    for copies in instances:
        copies.stop()


def test_requests_alternate_between_the_copies(shop):
    """The log includes the requests of all tests that ran before."""
    for _ in range(10):
        shop.client().call("GET", "/healthz")
    first, second = Counter(shop.log.read_text(encoding="ascii").split()).values()
    assert min(first, second) > 0.4 * (first + second)
    print(f"{first} requests were answered by one copy, {second} by the other")


def test_copies_share_one_limit_with_redis(start, alice, redis_url):
    copies = start(CUSTOMER_RATE="200/h", CACHE_URL=redis_url)
    client = copies.client(alice)
    statuses = [client.call("GET", "/api/customers/me/").status for _ in range(400)]
    assert statuses == [200] * 200 + [429] * 200


def test_client_address_is_trusted_from_nginx_only(start, redis_url):
    copies = start(ANONYMOUS_RATE="40/h", CACHE_URL=redis_url)
    client = copies.client()
    statuses = [
        client.call("GET", "/api/products/", X_Forwarded_For=f"192.0.2.{number}").status
        for number in range(120)
    ]
    assert statuses[-1] == 429


def test_killed_copy_loses_nothing_and_interrupts_service_for_less_than_a_second(shop):
    with Shoppers(shop) as shoppers:
        shoppers.go_on(100)
        shop.servers[0].kill()
        shoppers.go_on(100)
    shop.servers[0].start()
    assert len(shoppers.acknowledged) == len(set(shoppers.acknowledged))
    assert Order.objects.count() == len(shoppers.acknowledged)
    assert shoppers.longest < 1
    print(
        f"{len(shoppers.acknowledged)} orders, {len(shoppers.failures)} requests failed,"
        f" the longest wait until one was answered {shoppers.longest:.2f} s"
    )


def test_rolling_restart_fails_no_request(shop):
    with Shoppers(shop) as shoppers:
        for server in shop.servers:
            time.sleep(3)  # nginx sends a copy that failed no requests for two seconds
            server.process.send_signal(signal.SIGTERM)  # to the master, as a platform sends it
            server.process.wait(timeout=30)
            server.start()
            server.client().call("GET", "/healthz")  # waits for a worker, as a platform does
        shoppers.go_on(100)
    assert [re.sub(r"\s+", " ", str(failure))[:300] for failure in shoppers.failures] == []
    assert Order.objects.count() == len(shoppers.acknowledged)
    print(f"{len(shoppers.acknowledged)} orders while both copies were restarted")


HEAD = b"POST /api/obtain-token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
BODY = HEAD + b"Content-Length: 1000\r\n\r\n{"
PARTIAL_REQUESTS = [
    b"",
    b"POST /api/or",
    HEAD,
    BODY,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{",
]


def send_partial_requests(stack, port, requests):
    """Connect clients that send part of a request and then wait; they close with the stack."""
    for content in requests:
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        peer.sendall(content)
    time.sleep(0.5)


def test_200_clients_that_stop_half_way_delay_no_order(shop, alice):
    client, product = shop.client(alice), factories.products.make(quantity_in_stock=20)
    longest = 0
    with ExitStack() as stack:
        send_partial_requests(stack, shop.port, PARTIAL_REQUESTS * 40)
        for _ in range(20):
            began = time.monotonic()
            assert client.order({product.pk: 1}).status == 201
            longest = max(longest, time.monotonic() - began)
    assert longest < 1
    print(f"the longest of 20 orders took {longest:.2f} s beside 200 clients that stop half way")


def test_without_nginx_they_delay_requests(shop, alice):
    """The negative control."""
    server = shop.servers[0]
    with ExitStack() as stack:
        send_partial_requests(stack, server.port, [BODY] * 40)
        with pytest.raises(TimeoutError):
            server.client(alice).call("GET", "/api/products/", timeout=2)
    assert server.client(alice).call("GET", "/api/products/").status == 200


def test_nginx_drops_header_names_with_underscores(start, redis_url):
    copies = start(ANONYMOUS_RATE="40/h", CACHE_URL=redis_url)
    statuses = []
    for number in range(41):
        with closing(HTTPConnection("127.0.0.1", copies.port, timeout=20)) as peer:
            peer.request("GET", "/api/products/", headers={"X_Forwarded_For": f"192.0.2.{number}"})
            statuses.append(peer.getresponse().status)
    assert statuses[-1] == 429


# --- Compression ----------------------------------------------------------------------------------


def fetch(shop, path, **headers):
    """Return the status, headers and body of a GET, as a client gets them from nginx."""
    with closing(HTTPConnection("127.0.0.1", shop.port, timeout=20)) as peer:
        peer.request(
            "GET", path, headers={name.replace("_", "-"): headers[name] for name in headers}
        )
        response = peer.getresponse()
        return response.status, response.headers, response.read()


@pytest.mark.parametrize("path", ["/api/products/", f"/api/{500 * 'x'}/"], ids=["list", "404"])
def test_json_is_compressed_for_clients_that_accept_it(shop, path):
    factories.products.make(_quantity=5)
    status, headers, body = fetch(shop, path)
    assert "Content-Encoding" not in headers
    compressed_status, compressed_headers, compressed = fetch(shop, path, Accept_Encoding="gzip")
    assert (compressed_status, compressed_headers["Content-Encoding"]) == (status, "gzip")
    assert compressed_headers["Content-Type"] == headers["Content-Type"]
    assert "Accept-Encoding" in ", ".join(compressed_headers.get_all("Vary"))
    data, expected = (json.loads(text) for text in (gzip.decompress(compressed), body))
    assert data | {"request_id": ""} == expected | {"request_id": ""}
    assert len(compressed) < len(body) / 2


@pytest.mark.parametrize("path", ["/api/products/", "/api/products/{pk}/"])
def test_compressed_response_is_revalidated(shop, path):
    product = factories.products.make(description="Washed. " * 100)
    path = path.format(pk=product.pk)
    _, headers, _ = fetch(shop, path, Accept_Encoding="gzip")
    assert headers["ETag"].startswith('W/"')
    condition = {"Accept_Encoding": "gzip", "If_None_Match": headers["ETag"]}
    status, not_modified, body = fetch(shop, path, **condition)
    assert (status, body) == (304, b"")
    assert headers["ETag"] == f"W/{not_modified['ETag']}"
    product.update_fields(price="99.00")
    assert fetch(shop, path, **condition)[0] == 200


def test_etag_of_a_compressed_response_guards_an_edit(shop, clerk):
    product = factories.products.make(description="Washed. " * 100)
    path, staff = f"/api/products/{product.pk}/", shop.client(clerk)
    _, headers, _ = fetch(shop, path, Accept_Encoding="gzip")
    assert headers["ETag"].startswith('W/"')
    edit = partial(staff.call, "PATCH", path, {"price": "9.00"}, If_Match=headers["ETag"])
    product.adjust_stock(-1, reason="damaged", by=None)
    assert [edit().status, edit().status] == [200, 412]


def test_problem_of_nginx_itself_can_be_read_by_a_page_of_another_origin(shop):
    with closing(HTTPConnection("127.0.0.1", shop.port, timeout=20)) as peer:
        peer.request("POST", "/api/orders/", headers={"Content-Length": "4000000"})
        response = peer.getresponse()
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (413, "*")


def test_large_picture_passes_nginx_where_it_is_taken_only(api, clerk, product, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None  # of this process, which passes requests on
    content = pictures.draw_noise((2300, 2300))
    assert 4 * 2**20 < len(content) < 9 * 2**20
    client = api.as_user(clerk)
    url = pictures.upload(client, product, content, key="one").json()["url"]
    assert client.get(urlsplit(url).path)["Content-Type"] == "image/webp"
    too_large = pictures.upload(client, product, content * 3)
    assert (too_large.status_code, "10 MB" in too_large.json()["detail"]) == (413, True)
    elsewhere = client.post("/api/orders/", {"note": "x" * 4_000_000})
    assert (elsewhere.status_code, "3 MB" in elsewhere.json()["detail"]) == (413, True)
