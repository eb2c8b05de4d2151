"""The shop under four fifths of its maximum load, for SECONDS (`make soak`: ten minutes)."""

import json
import os
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import pytest
from rest_framework.authtoken.models import Token

from orders import stock_ledger
from orders.models import Order
from tests import factories
from tests.servers import Server

SECONDS = int(os.environ.get("SECONDS", "30"))
CLIENTS = 6


class Load:
    """Clients that each send random requests over a persistent connection."""

    def __init__(self, server, tokens, products):
        self.server, self.tokens, self.products = server, tokens, products
        self.placed, self.faults = 0, []

    def send_request(self, peer, rng):
        operation = rng.choices(("list", "product", "orders", "order"), (45, 30, 15, 10))[0]
        headers = {"Authorization": f"Token {rng.choice(self.tokens)}"}
        product = rng.choice(self.products)
        method, path, body = "GET", "/api/products/", None
        if operation == "product":
            path = f"/api/products/{product}/"
        elif operation == "orders":
            path = "/api/orders/"
        elif operation == "order":
            method, path = "POST", "/api/orders/"
            body = json.dumps({"items": [{"product": product, "quantity": 1}]})
            headers["Content-Type"] = "application/json"
        peer.request(method, path, body, headers)
        response = peer.getresponse()
        content = response.read()
        if response.status != (201 if body else 200):
            self.faults.append((method, path, response.status, content[:200]))
        return bool(body)

    def run(self, seconds, pause=0):
        """Send requests for so many seconds; each client starts one every `pause` seconds."""
        end = time.monotonic() + seconds
        counts = []

        def client(number):
            rng, peer = random.Random(number), HTTPConnection("127.0.0.1", self.server.port)
            due, requests, placed = time.monotonic() + pause * number / CLIENTS, 0, 0
            while time.monotonic() < end:
                time.sleep(max(0, due - time.monotonic()))
                placed += self.send_request(peer, rng)
                requests, due = requests + 1, due + pause
            peer.close()
            counts.append((requests, placed))

        with ThreadPoolExecutor(CLIENTS) as pool:
            for future in [pool.submit(client, number) for number in range(CLIENTS)]:
                future.result()
        self.placed += sum(placed for _, placed in counts)
        return sum(requests for requests, _ in counts) / seconds


def memory(server):
    """Return the memory of the worker processes in MB."""
    master = server.process.pid
    children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
    pages = [Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1] for pid in children]
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.fixture
def server(transactional_db):
    server = Server(workers=2, out=subprocess.DEVNULL).start()
    yield server
    server.stop()


def test_memory_stays_flat_nothing_fails_and_the_stock_ledger_balances(server):
    products = [factories.products.make(quantity_in_stock=100_000).pk for _ in range(200)]
    customers = factories.customers.make(_quantity=20)
    tokens = [Token.objects.create(user=customer).key for customer in customers]
    load = Load(server, tokens, products)
    max_rate = load.run(5)
    samples, done = [], threading.Event()

    def watch():
        while not done.wait(SECONDS / 60):
            samples.append(memory(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    rate = load.run(SECONDS, pause=CLIENTS / (0.8 * max_rate))
    done.set()
    watcher.join()
    assert load.faults == []
    assert Order.objects.count() == load.placed > 0
    assert not stock_ledger.find_discrepancies().exists()
    early, late = median(samples[10:20]), median(samples[-10:])
    print(
        f"{SECONDS} s at {rate:.0f} requests/s of {max_rate:.0f}: {load.placed} orders, no failure;"
        f" two workers held {early:.0f} MB early on and {late:.0f} MB at the end"
    )
    assert late < 1.1 * early
