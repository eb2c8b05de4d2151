"""A cached list is served until something is written, and never after that."""

import threading
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from products import cache
from products.models import Product
from tests import factories
from tests.servers import Server, at_once

LIST = "/api/products/"


def fetch_from_all_workers(client, path):
    """Return the bodies of forty requests, spread over the four workers."""
    return [client.call("GET", path).body for _ in range(40)]


CHANGES = {
    "a new price": lambda staff, pk, product: staff.call(
        "PATCH", f"{LIST}{pk}/", {"price": "99.00"}
    ),
    "retirement": lambda staff, pk, product: staff.call(
        "PATCH", f"{LIST}{pk}/", {"is_active": False}
    ),
    "a sale": lambda staff, pk, product: staff.order({pk: 3}),
    "an adjustment": lambda staff, pk, product: staff.call(
        "POST", f"{LIST}{pk}/adjust-stock/", {"delta": -5, "reason": "damaged"}
    ),
    "a new product": lambda staff, pk, product: staff.call(
        "POST", LIST, {"name": "Mocha", "sku": "M-1", "price": "9.00"}
    ),
    "a write past the API": lambda staff, pk, product: product.update_fields(name="Renamed"),
    "its deletion": lambda staff, pk, product: staff.call("DELETE", f"{LIST}{pk}/"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_next_request_to_every_worker_lists_a_change(change, shop, clerk, product):
    anyone, staff = shop.client(), shop.client(clerk)
    before = fetch_from_all_workers(anyone, LIST)
    assert all(body == before[0] for body in before)
    change(staff, product.pk, product)
    after = fetch_from_all_workers(anyone, LIST)
    assert all(body == after[0] for body in after)
    assert after[0] != before[0]
    rows = Product.objects.for_sale().order_by("pk").values_list("name", "quantity_in_stock")
    assert [(p["name"], p["quantity_in_stock"]) for p in after[0]["results"]] == list(rows)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_next_request_to_every_worker_shows_a_change_of_the_product(change, shop, clerk, product):
    anyone, path = shop.client(), f"{LIST}{product.pk}/"
    fetch_from_all_workers(anyone, path)
    change(shop.client(clerk), product.pk, product)
    expected = Product.objects.for_sale().filter(pk=product.pk).first()
    for body in fetch_from_all_workers(anyone, path):
        if expected:
            values = body["name"], body["price"], body["quantity_in_stock"]
            assert values == (expected.name, str(expected.price), expected.quantity_in_stock)
        else:
            assert body["code"] == "not_found"


def count_stale_prices(server, staff, product):
    """Count the outdated prices that sixteen concurrent readers receive during writes."""
    latest, stale_prices, done = [Decimal(0)], [], threading.Event()

    def read(path):
        client = server.client()
        while not done.is_set():
            min_expected, body = latest[0], client.call("GET", path).body
            price = Decimal(body.get("results", [body])[0]["price"])
            if price < min_expected:
                stale_prices.append(price)

    def write():
        for price in range(1, 40):
            staff.call("PATCH", f"{LIST}{product.pk}/", {"price": f"{price}.00"})
            latest[0] = Decimal(price)
        done.set()

    product.update_fields(price="0.50")
    at_once(write, *[partial(read, path) for path in (LIST, f"{LIST}{product.pk}/") * 8])
    return len(stale_prices)


def test_price_is_never_stale_under_concurrent_requests(shop, clerk, product):
    assert count_stale_prices(shop, shop.client(clerk), product) == 0


@pytest.mark.django_db(transaction=True)
def test_price_is_stale_if_the_cache_ignores_writes(clerk, product):
    server = Server(module="tests.products.stale").start()
    try:
        assert count_stale_prices(server, server.client(clerk), product) > 0
    finally:
        server.stop()


@pytest.mark.django_db(transaction=True)
def test_cache_that_ignores_writes_serves_stale_lists(clerk, product):
    server = Server(module="tests.products.stale").start()
    try:
        anyone = server.client()
        fetch_from_all_workers(anyone, LIST)
        server.client(clerk).call("PATCH", f"{LIST}{product.pk}/", {"price": "99.00"})
        prices = {body["results"][0]["price"] for body in fetch_from_all_workers(anyone, LIST)}
    finally:
        server.stop()
    assert "12.50" in prices


@pytest.fixture
def empty_cache(transactional_db):
    """An empty cache, in a test that commits its rows."""
    cache.response_cache().clear()


def count_queries(client, path, **headers):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path, headers=headers).status_code in (200, 304)
    return len(queries)


def test_second_response_needs_no_queries(empty_cache, api, product):
    for path in (LIST, f"{LIST}?search=coffee"):
        assert count_queries(api, path) > 0
        # PostgreSQL counts transactions of all databases, so others may write in between.
        assert any(count_queries(api, path) == 0 for _ in range(100))


def test_sold_out_product_leaves_the_in_stock_list(empty_cache, api, alice):
    one, other = factories.products.make(quantity_in_stock=1, _quantity=2)
    path = f"{LIST}?in_stock=true"
    assert api.get(path).json()["count"] == 2
    factories.place(alice, {one: 1})
    assert [product["id"] for product in api.get(path).json()["results"]] == [other.pk]


def test_uncommitted_change_is_neither_cached_nor_hidden(empty_cache, api, product):
    api.get(LIST)
    with transaction.atomic():
        product.update_fields(name="Not for good")
        assert b"Not for good" in api.get(LIST).content
        transaction.set_rollback(True)
    assert b"Not for good" not in api.get(LIST).content


def test_staff_and_customers_have_separate_cached_pages(empty_cache, api, as_clerk, as_alice):
    retired = factories.products.make(is_active=False)
    for _ in range(2):
        assert as_clerk.get(LIST).json()["count"] == 1
        assert as_alice.get(LIST).json()["count"] == 0
        assert api.get(LIST).json()["count"] == 0
        assert as_clerk.get(f"{LIST}{retired.pk}/").status_code == 200
        assert api.get(f"{LIST}{retired.pk}/").status_code == 404


def test_links_use_the_host_of_the_request(empty_cache, api, settings):
    settings.ALLOWED_HOSTS = ["one.example", "two.example"]
    factories.products.make(_quantity=6)
    for host in ("one.example", "two.example"):
        next_url = api.get(LIST, headers={"Host": host}).json()["next"]
        assert next_url.startswith(f"http://{host}/")


def test_cache_size_is_bounded(empty_cache, api, product, monkeypatch):
    monkeypatch.setattr(cache, "MAX_SIZE", 20_000)
    counts = []
    for number in range(1, 30):
        path = f"{LIST}?items_per_page={number}&id={product.pk}{50 * ',999999999999999999'}"
        assert api.get(path).json()["count"] == 1
        responses = cache.response_cache().responses
        assert (
            sum(len(key[-1]) + len(response.content) for key, response in responses.items())
            <= 20_000
        )
        counts.append(len(responses))
    assert 1 < max(counts) < 20


def test_response_from_before_a_write_seen_by_another_thread_is_not_cached(monkeypatch, db):
    local_cache = cache.ResponseCache()
    local_cache.clear("before")
    response = cache.CachedResponse({"price": "1.00"})
    local_cache.clear("after")
    local_cache.add("key", response, "before")
    assert local_cache.responses == {}


@pytest.mark.parametrize("path", [LIST, LIST + "{pk}/"])
def test_client_with_the_current_etag_gets_a_304(empty_cache, path, api, product):
    path = path.format(pk=product.pk)
    response = api.get(path)
    assert response["Cache-Control"] == "no-cache"
    assert "Authorization" in response["Vary"]
    not_modified = api.get(path, headers={"If-None-Match": response["ETag"]})
    assert (not_modified.status_code, not_modified.content) == (304, b"")
    assert not_modified["ETag"] == response["ETag"]
    product.update_fields(price="99.00")
    changed = api.get(path, headers={"If-None-Match": response["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != response["ETag"]


def test_etag_depends_only_on_the_content(empty_cache, api, as_alice, product):
    etag = api.get(LIST)["ETag"]
    as_alice.patch("/api/customers/me/", {"city": "Ribe"})  # a write that does not affect the list
    assert api.get(LIST)["ETag"] == etag


@pytest.mark.parametrize("etag", ["*", 'W/"{etag}", "other"', '"{etag}"'])
def test_if_none_match_is_parsed_as_http_specifies(empty_cache, etag, api, product):
    header = etag.format(etag=api.get(LIST)["ETag"].strip('"'))
    assert api.get(LIST, headers={"If-None-Match": header}).status_code == 304


def test_missing_product_is_not_a_304(empty_cache, api):
    assert api.get(f"{LIST}1/", headers={"If-None-Match": "*"}).status_code == 404
