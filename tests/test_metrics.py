"""Metrics of several processes together, and the alerts and the dashboard that use them."""

import json
import math
import re
import time
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from changes.models import Reader
from orders.metrics import StockLedgerCollector, orders, stock_outs, units
from products.models import Product
from shopply.api import exceptions
from tests import factories
from tests.servers import Server
from tests.tasks import fail

TOKEN = "of-whoever-scrapes"
DEPLOY = Path(settings.BASE_DIR) / "deploy"


@contextmanager
def running(workers=3, **environment):
    server = Server(workers=workers, **{"METRICS_TOKEN": TOKEN} | environment).start()
    try:
        yield server
    finally:
        server.stop()


def fetch(server, **headers):
    peer = HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        peer.request("GET", "/metrics", headers={"Host": "10.0.0.7"} | headers)
        response = peer.getresponse()
        return response.status, response.read().decode()
    finally:
        peer.close()


def scrape(server):
    """Return `{name with labels: value}`."""
    status, text = fetch(server, Authorization=f"Bearer {TOKEN}")
    assert status == 200
    return parse(text)


def parse(text):
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def requests_to(samples, route, method="GET", status=200):
    labels = f'method="{method}",route="{route}",status="{status}"'
    return samples.get(f"shopply_requests_total{{{labels}}}", 0)


def test_counts_include_all_processes_even_killed_ones(transactional_db, alice):
    product = factories.products.make(quantity_in_stock=5)
    with running() as server:
        client = server.client(alice)
        assert scrape(server)['shopply_orders_total{outcome="placed"}'] == 0
        for _ in range(60):
            client.call("GET", f"/api/products/{product.pk}/")
        client.call("BREW", "/api/products/")
        key = {"Idempotency_Key": "once"}
        assert client.order({product.pk: 3}, **key).status == 201
        assert client.order({product.pk: 3}, **key).status == 201
        assert client.order({product.pk: 3}).status == 409
        assert client.order({0: 1}).status == 400
        samples = scrape(server)
        assert requests_to(samples, "/api/products/<int:pk>/") == 60
        assert requests_to(samples, "/api/products/", "OTHER", 403) == 1
        assert requests_to(samples, "/api/orders/", "POST", 201) == 2
        for outcome in ("placed", "replayed", "out_of_stock", "validation_error"):
            assert samples[f'shopply_orders_total{{outcome="{outcome}"}}'] == 1
        assert samples["shopply_units_sold_total"] == 3
        assert samples["shopply_stock_outs_total"] == 1
        labels = 'method="GET",route="/api/products/<int:pk>/"'
        assert samples[f"shopply_request_seconds_count{{{labels}}}"] == 60
        assert samples["shopply_database_up"] == 1
        assert books_off(server) == 0
        server.kill_workers()
        assert requests_to(scrape(server), "/api/products/<int:pk>/") == 60


def test_single_process_reports_its_own_counts(client, db, settings, monkeypatch):
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(StockLedgerCollector, "next_refresh", math.inf)  # it has no connection here
    line = 'shopply_requests_total{method="GET",route="/healthz",status="200"} '
    counts = []
    for _ in range(2):
        client.get("/healthz")
        response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        counts.append(float(response.content.decode().partition(line)[2].split()[0]))
    assert counts[1] == counts[0] + 1


def test_orders_are_counted_by_outcome(as_alice, settings, product):
    settings.METRICS_TOKEN = TOKEN

    def order(quantity, **headers):
        counts = [orders.labels(name) for name in ("placed", "replayed", "out_of_stock")]
        counts += [units, stock_outs]
        before = [count._value.get() for count in counts]
        body = {"items": [{"product": product.pk, "quantity": quantity}]}
        as_alice.post("/api/orders/", body, headers=headers)
        return [
            count._value.get() - previous for count, previous in zip(counts, before, strict=True)
        ]

    assert order(2, **{"Idempotency-Key": "once"}) == [1, 0, 0, 2, 0]
    assert order(2, **{"Idempotency-Key": "once"}) == [0, 1, 0, 0, 0]
    assert order(9_999) == [0, 0, 1, 0, 1]


def test_request_that_fails_in_the_database_is_counted(client, db, settings):
    settings.METRICS_TOKEN = TOKEN
    client.raise_request_exception = False
    before = exceptions.database_errors._value.get()
    client.cookies["sessionid"] = "x" * 32
    with connection.execute_wrapper(raise_operational_error):
        assert client.get("/api/products/").status_code == 503
        assert client.get("/admin/").status_code == 503
        assert client.get("/readyz").status_code == 503  # a probe, which is not counted
    assert exceptions.database_errors._value.get() == before + 2


def raise_operational_error(execute, sql, params, many, context):
    raise OperationalError("The database is away.")


def test_stock_ledger_that_does_not_add_up_is_reported(transactional_db):
    product = factories.products.make()
    Product.objects.filter(pk=product.pk).update(quantity_in_stock=99)
    with running() as server:
        assert books_off(server) == 1


def test_tasks_and_readers_of_the_feed_are_reported(client, db, settings, monkeypatch):
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(StockLedgerCollector, "next_refresh", math.inf)  # it has no connection here
    Reader.objects.start("mail")
    for status in (TaskResultStatus.FAILED, TaskResultStatus.READY):
        task = fail.enqueue("nobody")
        DBTaskResult.objects.filter(pk=task.id).update(
            status=status, enqueued_at=timezone.now() - timedelta(minutes=1)
        )
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    samples = parse(response.content.decode())
    assert 60 <= samples["shopply_tasks_oldest_seconds"] < 65
    names = ("shopply_tasks_waiting", "shopply_tasks_retrying", "shopply_tasks_failed")
    assert [samples[name] for name in names] == [1, 0, 1]
    assert samples['shopply_reader_lag_seconds{reader="mail"}'] == 0


def test_unavailable_database_is_reported(transactional_db):
    with running(DATABASE_URL="postgres://shop@127.0.0.1:1/shop") as server:
        assert server.client().call("GET", "/api/products/").status == 503
        samples = scrape(server)
        assert samples["shopply_database_up"] == 0
        assert samples["shopply_database_errors_total"] == 1
        assert "shopply_books_off" not in samples


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_request_without_the_token_is_a_404(transactional_db, token):
    with running(METRICS_TOKEN=token) as server:
        for authorization in (
            "Bearer ",
            "Bearer wrong",
            "Bearer \xe9",
            f"Token {TOKEN}",
            "Bearer None",
        ):
            assert fetch(server, Authorization=authorization)[0] == 404
        assert fetch(server)[0] == 404


def books_off(server):
    """Return the number, as soon as a process has computed it."""
    deadline = time.monotonic() + 10
    while (count := scrape(server).get("shopply_books_off")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return count


def alerts():
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return group["rules"]


def expressions():
    yield from (rule["expr"] for rule in alerts())
    for panel in json.loads((DEPLOY / "dashboard.json").read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def test_alerts_and_dashboard_use_exported_metrics(transactional_db):
    used_names = set(re.findall(r"shopply_\w+", " ".join(expressions())))
    assert len(used_names) > 7
    Reader.objects.start("mail")
    with running(workers=1) as server:
        server.client().call("GET", "/api/")
        books_off(server)
        exported_names = {name.partition("{")[0] for name in scrape(server)}
    assert used_names - exported_names == set()


def test_every_alert_is_tested_to_fire_and_to_stay_silent():
    outcomes = {}
    for test in yaml.safe_load((DEPLOY / "alerts_test.yml").read_text())["tests"]:
        for case in test["alert_rule_test"]:
            outcomes.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert outcomes == {rule["alert"]: {True, False} for rule in alerts()}
