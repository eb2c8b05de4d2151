"""Simultaneous edits, adjustments and stocktakes of one product, in real processes."""

from functools import partial

import pytest

from orders import stock_ledger
from products.models import Product, StockAdjustment
from tests import factories
from tests.orders.test_races import count_responses
from tests.servers import Server, at_once

ROUNDS = 20
DELIVERY = {"delta": 10, "reason": "delivery"}


@pytest.fixture
def shop(shop):
    """The shop, whose stock ledger must balance at the end of every test."""
    yield shop
    assert not stock_ledger.find_discrepancies().exists()


@pytest.fixture
def unlocked_shop(transactional_db):
    server = Server(module="tests.products.unlocked").start()
    yield server
    server.stop()


@pytest.fixture
def staff(shop, clerk):
    return shop.client(clerk)


def path_of(product):
    return f"/api/products/{product.pk}/"


def rush_to_edit(client, product):
    """Make two edits of one ETag at once; return the counts of responses."""
    path = path_of(product)
    etag = client.call("GET", path).headers["ETag"]
    bodies = [{"name": "This"}, {"name": "That"}]
    edits = [partial(client.call, "PATCH", path, body, If_Match=etag) for body in bodies]
    return count_responses(at_once(*edits))


def test_one_of_two_edits_with_one_etag_succeeds(staff, product):
    for _ in range(ROUNDS):
        assert rush_to_edit(staff, product) == {"200": 1, "412 precondition_failed": 1}
    product.refresh_from_db()
    assert product.revision == 1 + ROUNDS


def test_without_the_lock_both_edits_succeed(unlocked_shop, clerk, product):
    """The negative control: the test above can detect a lost edit."""
    client = unlocked_shop.client(clerk)
    assert {"200": 2} in [rush_to_edit(client, product) for _ in range(5 * ROUNDS)]


def test_either_edit_or_deletion_succeeds(staff):
    for _ in range(ROUNDS):
        path = path_of(factories.products.make())
        etag = staff.call("GET", path).headers["ETag"]
        edit, deletion = at_once(
            partial(staff.call, "PATCH", path, {"name": "This"}, If_Match=etag),
            partial(staff.call, "DELETE", path, If_Match=etag),
        )
        assert (edit.status, deletion.status) in {(200, 412), (404, 204)}


def test_sales_during_edits_spoil_none(staff, product):
    for number in range(ROUNDS):
        path = path_of(product)
        etag = staff.call("GET", path).headers["ETag"]
        sale = partial(staff.order, {product.pk: 1})
        edit = partial(staff.call, "PATCH", path, {"name": f"Edit {number}"}, If_Match=etag)
        assert count_responses(at_once(sale, edit, sale)) == {"200": 1, "201": 2}


def test_sales_during_a_stocktake_are_all_counted(staff, product):
    for _ in range(ROUNDS):
        sale = partial(staff.order, {product.pk: 1})
        count = partial(staff.call, "PATCH", path_of(product), {"quantity_in_stock": 50})
        assert count_responses(at_once(sale, count, sale)) == {"200": 1, "201": 2}
        product.refresh_from_db()
        assert product.quantity_in_stock in (48, 49, 50)


def retry(call):
    """Make the call until it is no 429, as a user may not occupy all threads of a process."""
    while True:
        response = call()
        if response.status != 429:
            return response


def send_20_times(client, path, body):
    send = partial(client.call, "POST", path, body, Idempotency_Key="once")
    responses = at_once(*[partial(retry, send)] * 20)
    assert count_responses(responses) == {"201": 20}
    assert all(response.body == responses[0].body for response in responses)
    replays = [response.headers.get("Idempotent-Replayed") for response in responses]
    assert replays.count("true") == 19


@pytest.mark.parametrize("delta", [10, -100], ids=["a delivery", "the last pieces"])
def test_20_retries_of_an_adjustment_book_it_once(staff, product, delta):
    body = {"delta": delta, "reason": "correction"}
    send_20_times(staff, f"{path_of(product)}adjust-stock/", body)
    product.refresh_from_db()
    assert product.quantity_in_stock == 100 + delta
    assert StockAdjustment.objects.filter(idempotency_key="once").count() == 1


@pytest.mark.parametrize("sku", [None, "C-1"])
def test_20_retries_of_a_product_add_it_once(staff, sku):
    send_20_times(staff, "/api/products/", {"name": "Cup", "price": "3.00", "sku": sku})
    assert Product.objects.count() == 1


def test_one_key_for_two_products_adjusts_one_of_them(staff):
    this, that = factories.products.make(_quantity=2)
    for number in range(ROUNDS):
        sends = [
            partial(
                *(staff.call, "POST", f"{path_of(product)}adjust-stock/", DELIVERY),
                Idempotency_Key=f"{number}",
            )
            for product in (this, that)
        ]
        assert count_responses(at_once(*sends)) == {"201": 1, "422 idempotency_key_reused": 1}
    assert StockAdjustment.objects.filter(reason="delivery").count() == ROUNDS
