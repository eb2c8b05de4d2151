"""The catalogue is answered from memory while nothing is written, and never when something was."""

import threading
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from products import catalogue
from products.models import Product
from products.pages import Census
from products.records import product_records_of
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
    "a write past the API": lambda staff, pk, product: product.revise(name="Renamed"),
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
    """How many of sixteen clients that ask all the time got an older price than the shop's.

    Theirs are the turns of a worker that answer many requests each.
    """
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

    product.revise(price="0.50")
    at_once(write, *[partial(read, path) for path in (LIST, f"{LIST}{product.pk}/") * 8])
    return len(out_of_date)


def test_price_is_never_out_of_date_however_many_ask(shop, clerk, product):
    assert prices_out_of_date(shop, shop.client(clerk), product) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("module", ["tests.products.stale", "tests.products.endless"])
def test_price_is_out_of_date_where_the_catalogue_minds_no_writes(module, clerk, product):
    server = Server(module=module).start()
    try:
        assert prices_out_of_date(server, server.client(clerk), product) > 0
    finally:
        server.stop()


@pytest.mark.django_db(transaction=True)
def test_catalogue_that_minds_no_writes_is_seen_to_be_stale(clerk, product):
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
    """Rows are committed, and nothing is left in memory from before."""
    catalogue.memory.forget()
    catalogue.memory.outlines = {}


def queries_of(client, path, **headers):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path, headers=headers).status_code in (200, 304)
    return len(queries)


def test_second_answer_asks_nothing_of_the_tables(committed, api, product):
    for path in (LIST, f"{LIST}?search=coffee"):
        assert queries_of(api, path) > 0
        # PostgreSQL counts transactions of all its databases, so others may write in between.
        assert any(queries_of(api, path) == 0 for _ in range(100))


@pytest.mark.parametrize("query", ["", "?search=coffee", "?ordering=-price&items_per_page=100"])
def test_after_a_sale_one_query_fills_in_the_stock(committed, api, alice, query):
    products = factories.products.make(name="coffee", quantity_in_stock=9, _quantity=30)
    first = api.get(LIST + query).json()
    factories.place(alice, {products[0]: 4})
    assert queries_of(api, LIST + query) == 1
    after = api.get(LIST + query).json()
    stocks = {product["id"]: product["quantity_in_stock"] for product in after["results"]}
    assert stocks.pop(products[0].pk, 5) == 5
    assert set(stocks.values()) == {9}
    assert [product["id"] for product in after["results"]] == [
        product["id"] for product in first["results"]
    ]
    assert (after["count"], after["next"]) == (first["count"], first["next"])


def test_outline_of_another_edition_is_not_filled(committed, api, product):
    edition = Census.now().edition
    assert product_records_of(edition, [product.pk])[product.pk].name == product.name
    product.revise(name="Renamed")
    assert product_records_of(edition, [product.pk]) is None


def test_what_sells_out_leaves_the_list_of_what_is_in_stock(committed, api, alice):
    one, other = factories.products.make(quantity_in_stock=1, _quantity=2)
    path = f"{LIST}?in_stock=true"
    assert api.get(path).json()["count"] == 2
    factories.place(alice, {one: 1})
    assert [product["id"] for product in api.get(path).json()["results"]] == [other.pk]


def test_outlines_have_an_end(committed, api, product, monkeypatch):
    monkeypatch.setattr(catalogue.Memory, "OUTLINES", 3)
    for number in range(1, 10):
        api.get(f"{LIST}?items_per_page={number}")
        assert 1 <= len(catalogue.memory.outlines) <= 3


def test_what_is_uncommitted_is_neither_kept_nor_hidden(committed, api, product):
    api.get(LIST)
    with transaction.atomic():
        product.revise(name="Not for good")
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


def test_memory_of_pages_has_an_end(committed, api, product, monkeypatch):
    monkeypatch.setattr(catalogue.Memory, "MOST", 20_000)
    kept = []
    for number in range(1, 30):
        path = f"{LIST}?items_per_page={number}&x={'y' * 1_000}"
        assert api.get(path).json()["count"] == 1
        pages = catalogue.memory.pages
        assert sum(len(key[-1]) + len(page.content) for key, page in pages.items()) <= 20_000
        kept.append(len(pages))
    assert 1 < max(kept) < 20


def test_memory_that_is_full_begins_anew_within_a_turn(committed, monkeypatch):
    monkeypatch.setattr(catalogue.Memory, "MOST", 1_500)
    pages = [catalogue.Page({"number": number}) for number in range(9)]
    for number, page in enumerate(pages):
        key = (str(number),)
        assert catalogue.memory.page(key, lambda page=page: page, turn=7) is page
        assert 1 <= len(catalogue.memory.pages) <= 2


@pytest.mark.parametrize("path", [LIST, LIST + "{pk}/"])
def test_client_that_has_the_answer_gets_a_304(committed, path, api, product):
    path = path.format(pk=product.pk)
    answer = api.get(path)
    assert answer["Cache-Control"] == "no-cache"
    assert "Authorization" in answer["Vary"]
    again = api.get(path, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == answer["ETag"]
    product.revise(price="99.00")
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
