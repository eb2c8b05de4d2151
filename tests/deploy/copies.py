"""Two copies of the shop behind nginx, as `deploy/compose.yaml` has them, on one database.

Run by `make deploy-check`, since it wants an nginx; `pytest tests/deploy/copies.py` runs it alone.
"""

import re
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings

from orders import books
from orders.models import Order
from tests import factories
from tests.deploy.shoppers import Shoppers
from tests.servers import Server, at_once

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")

pytestmark = pytest.mark.skipif(not NGINX, reason="no nginx is installed")


class Copies:
    """Two servers of two workers each, and nginx before them, configured as for compose."""

    def __init__(self, folder, **environment):
        environment |= {"NUM_PROXIES": "1"}
        self.servers = [
            Server(workers=2, out=subprocess.DEVNULL, log=subprocess.DEVNULL, **environment)
            for _ in range(2)
        ]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        told = (settings.BASE_DIR / "deploy/nginx.conf").read_text(encoding="utf-8")
        for number, server in enumerate(self.servers, start=1):
            told = told.replace(f"shop{number}:8000", f"127.0.0.1:{server.port}")
        told = told.replace("listen 8080", f"listen 127.0.0.1:{self.port}")
        self.settings = Path(folder, "nginx.conf")
        self.settings.write_text(told.replace("/tmp/", f"{folder}/"), encoding="utf-8")  # noqa: S108

    def start(self):
        for server in self.servers:
            server.start()
        command = [NGINX, "-c", self.settings, "-g", "daemon off;"]
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

    client = Server.client  # of nginx's port


@pytest.fixture
def start(transactional_db, tmp_path):
    started = []

    def start(**environment):
        started.append(Copies(tmp_path, **environment).start())
        return started[-1]

    yield start
    for copies in started:
        copies.stop()
    assert not books.unbalanced().exists()


def test_200_buyers_of_the_last_20_get_20(start):
    copies = start()
    product = factories.stocked(quantity_in_stock=20)
    clients = [copies.client(each) for each in factories.customers.make(_quantity=200)]
    answers = at_once(*(partial(client.order, {product.pk: 1}) for client in clients))
    assert Counter(answer.status for answer in answers) == {201: 20, 409: 180}


def test_key_places_one_order_whichever_copy_gets_it(start, alice):
    copies = start()
    product = factories.stocked(quantity_in_stock=1_000)
    direct = [server.client(alice) for server in copies.servers]
    for number in range(30):
        answers = at_once(
            *(
                partial(client.order, {product.pk: 1}, Idempotency_Key=f"key-{number}")
                for client in direct * 3
            )
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body["id"] for answer in answers}) == 1
    assert Order.objects.count() == 30


def test_limit_is_one_for_both_copies(start, alice):
    copies = start(CUSTOMER_RATE="200/h")
    client = copies.client(alice)
    answers = [client.call("GET", "/api/customers/me/").status for _ in range(400)]
    lots = 4 * 200 // 20  # what each of four processes counts before it tells
    assert 200 - lots <= answers.count(200) <= 200 + lots
    assert answers[-1] == 429


def test_address_of_the_caller_is_believed_of_nginx_alone(start):
    copies = start(ANONYMOUS_RATE="40/h")
    client = copies.client()
    answers = [
        client.call("GET", "/api/products/", X_Forwarded_For=f"192.0.2.{number}").status
        for number in range(120)
    ]
    assert answers[-1] == 429


def test_copy_that_is_killed_loses_nothing_and_is_missed_for_less_than_a_second(start):
    copies = start()
    with Shoppers(copies) as shoppers:
        time.sleep(2)
        copies.servers[0].stop(signal.SIGKILL)
        time.sleep(3)
    assert len(shoppers.acknowledged) == len(set(shoppers.acknowledged)) > 100
    assert Order.objects.count() == len(shoppers.acknowledged)
    assert shoppers.longest < 1
    print(
        f"{len(shoppers.acknowledged)} orders, {len(shoppers.failures)} requests failed,"
        f" the longest wait until one was answered {shoppers.longest:.2f} s"
    )


def test_rolling_restart_fails_no_request(start):
    copies = start()
    with Shoppers(copies) as shoppers:
        for server in copies.servers:
            time.sleep(3)  # nginx leaves a copy that was away alone for two
            server.process.send_signal(signal.SIGTERM)  # to the master, as a platform sends it
            server.process.wait(timeout=30)
            server.start()
            server.client().call("GET", "/healthz")  # waits for a worker, as a platform does
        time.sleep(1)
    assert [re.sub(r"\s+", " ", str(each))[:300] for each in shoppers.failures] == []
    assert Order.objects.count() == len(shoppers.acknowledged) > 100
    print(f"{len(shoppers.acknowledged)} orders while both copies were restarted")
