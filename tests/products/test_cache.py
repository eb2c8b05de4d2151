"""Lists are answered from the cache while nothing is written, and never when something was."""

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


def seen_by_every_worker(client, path):
    """What forty requests get, of which each of the four workers answers some."""
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
def test_change_is_seen_in_the_next_request_on_every_worker(change, shop, clerk, product):
    anyone, staff = shop.client(), shop.client(clerk)
    before = seen_by_every_worker(anyone, LIST)
    assert all(body == before[0] for body in before)
    change(staff, product.pk, product)
    after = seen_by_every_worker(anyone, LIST)
    assert all(body == after[0] for body in after)
    assert after[0] != before[0]
    found = Product.objects.for_sale().order_by("pk").values_list("name", "quantity_in_stock")
    assert [(p["name"], p["quantity_in_stock"]) for p in after[0]["results"]] == list(found)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_is_seen_in_the_product_itself_on_every_worker(change, shop, clerk, product):
    anyone, path = shop.client(), f"{LIST}{product.pk}/"
    seen_by_every_worker(anyone, path)
    change(shop.client(clerk), product.pk, product)
    found = Product.objects.for_sale().filter(pk=product.pk).first()
    for body in seen_by_every_worker(anyone, path):
        if found:
            told = body["name"], body["price"], body["quantity_in_stock"]
            assert told == (found.name, str(found.price), found.quantity_in_stock)
        else:
            assert body["code"] == "not_found"


def prices_out_of_date(server, staff, product):
    """How many of sixteen clients that ask all the time got an older price than the shop's."""
    told, out_of_date, done = [Decimal(0)], [], threading.Event()

    def read(path):
        client = server.client()
        while not done.is_set():
            at_least, body = told[0], client.call("GET", path).body
            price = Decimal(body.get("results", [body])[0]["price"])
            if price < at_least:
                out_of_date.append(price)

    def write():
        for price in range(1, 40):
            staff.call("PATCH", f"{LIST}{product.pk}/", {"price": f"{price}.00"})
            told[0] = Decimal(price)
        done.set()

    product.update_fields(price="0.50")
    at_once(write, *[partial(read, path) for path in (LIST, f"{LIST}{product.pk}/") * 8])
    return len(out_of_date)


def test_price_is_never_out_of_date_however_many_ask(shop, clerk, product):
    assert prices_out_of_date(shop, shop.client(clerk), product) == 0


@pytest.mark.django_db(transaction=True)
def test_price_is_out_of_date_where_the_cache_minds_no_writes(clerk, product):
    server = Server(module="tests.products.stale").start()
    try:
        assert prices_out_of_date(server, server.client(clerk), product) > 0
    finally:
        server.stop()


@pytest.mark.django_db(transaction=True)
def test_cache_that_minds_no_writes_is_seen_to_be_stale(clerk, product):
    server = Server(module="tests.products.stale").start()
    try:
        anyone = server.client()
        seen_by_every_worker(anyone, LIST)
        server.client(clerk).call("PATCH", f"{LIST}{product.pk}/", {"price": "99.00"})
        prices = {body["results"][0]["price"] for body in seen_by_every_worker(anyone, LIST)}
    finally:
        server.stop()
    assert "12.50" in prices


@pytest.fixture
def committed(transactional_db):
    """Rows are committed, and nothing is left in the cache from before."""
    cache.response_cache().clear()


def queries_of(client, path, **headers):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path, headers=headers).status_code in (200, 304)
    return len(queries)


def test_second_answer_asks_nothing_of_the_tables(committed, api, product):
    for path in (LIST, f"{LIST}?search=coffee"):
        assert queries_of(api, path) > 0
        # PostgreSQL counts transactions of all its databases, so others may write in between.
        assert any(queries_of(api, path) == 0 for _ in range(100))


def test_what_sells_out_leaves_the_list_of_what_is_in_stock(committed, api, alice):
    one, other = factories.products.make(quantity_in_stock=1, _quantity=2)
    path = f"{LIST}?in_stock=true"
    assert api.get(path).json()["count"] == 2
    factories.place(alice, {one: 1})
    assert [product["id"] for product in api.get(path).json()["results"]] == [other.pk]


def test_what_is_uncommitted_is_neither_kept_nor_hidden(committed, api, product):
    api.get(LIST)
    with transaction.atomic():
        product.update_fields(name="Not for good")
        assert b"Not for good" in api.get(LIST).content
        transaction.set_rollback(True)
    assert b"Not for good" not in api.get(LIST).content


def test_staff_and_customers_are_not_given_each_others_pages(committed, api, as_clerk, as_alice):
    retired = factories.products.make(is_active=False)
    for _ in range(2):
        assert as_clerk.get(LIST).json()["count"] == 1
        assert as_alice.get(LIST).json()["count"] == 0
        assert api.get(LIST).json()["count"] == 0
        assert as_clerk.get(f"{LIST}{retired.pk}/").status_code == 200
        assert api.get(f"{LIST}{retired.pk}/").status_code == 404


def test_links_of_a_page_lead_to_the_host_that_was_asked(committed, api, settings):
    settings.ALLOWED_HOSTS = ["one.example", "two.example"]
    factories.products.make(_quantity=6)
    for host in ("one.example", "two.example"):
        following = api.get(LIST, headers={"Host": host}).json()["next"]
        assert following.startswith(f"http://{host}/")


def test_size_of_the_cache_has_an_end(committed, api, product, monkeypatch):
    monkeypatch.setattr(cache, "MAX_SIZE", 20_000)
    counts = []
    for number in range(1, 30):
        path = f"{LIST}?items_per_page={number}&x={'y' * 1_000}"
        assert api.get(path).json()["count"] == 1
        responses = cache.response_cache().responses
        assert sum(len(key[-1]) + len(each.content) for key, each in responses.items()) <= 20_000
        counts.append(len(responses))
    assert 1 < max(counts) < 20


def test_response_made_before_another_thread_saw_a_write_is_not_kept(monkeypatch, db):
    kept = cache.ResponseCache()
    kept.clear("before")
    response = cache.CachedResponse({"price": "1.00"})
    kept.clear("after")
    kept.add("key", response, "before")
    assert kept.responses == {}


@pytest.mark.parametrize("path", [LIST, LIST + "{pk}/"])
def test_client_that_has_the_answer_gets_a_304(committed, path, api, product):
    path = path.format(pk=product.pk)
    answer = api.get(path)
    assert answer["Cache-Control"] == "no-cache"
    assert "Authorization" in answer["Vary"]
    again = api.get(path, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == answer["ETag"]
    product.update_fields(price="99.00")
    changed = api.get(path, headers={"If-None-Match": answer["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != answer["ETag"]


def test_etag_names_the_content_and_not_the_moment(committed, api, as_alice, product):
    etag = api.get(LIST)["ETag"]
    as_alice.patch("/api/customers/me/", {"city": "Ribe"})  # a write that is none of the list's
    assert api.get(LIST)["ETag"] == etag


@pytest.mark.parametrize("etag", ["*", 'W/"{etag}", "other"', '"{etag}"'])
def test_if_none_match_is_read_as_http_has_it(committed, etag, api, product):
    given = etag.format(etag=api.get(LIST)["ETag"].strip('"'))
    assert api.get(LIST, headers={"If-None-Match": given}).status_code == 304


def test_absent_product_is_no_304(committed, api):
    assert api.get(f"{LIST}1/", headers={"If-None-Match": "*"}).status_code == 404
