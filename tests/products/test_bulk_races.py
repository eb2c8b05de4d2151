"""Simultaneous bulk updates and orders of the same products, in real processes."""

from functools import partial
from itertools import count

import pytest

from orders import stock_ledger
from products.bulk import BulkUpdate
from products.models import StockAdjustment
from tests import factories
from tests.servers import Server, at_once

ROUNDS = 10
PATH = "/api/products/"


@pytest.fixture
def unguarded_shop(transactional_db):
    server = Server(module="tests.products.unguarded_bulk").start()
    yield server
    server.stop()


@pytest.fixture
def products(db):
    return factories.products.make(_quantity=30)


quantities = count(200)  # each counted once, so that each books an adjustment


def rush(shop, clerk, alice, products):
    """Send the rows forwards and backwards, and orders meanwhile; return the statuses."""
    staff, buyer = shop.client(clerk), shop.client(alice)
    stock = next(quantities)
    rows = [{"id": product.pk, "price": "9.00", "quantity_in_stock": stock} for product in products]
    order = {product.pk: 1 for product in products}
    responses = at_once(
        *(partial(staff.call, "PATCH", PATH, body) for body in (rows, rows[::-1])),
        *(partial(buyer.order, order) for _ in range(2)),
    )
    return {response.status for response in responses}


def test_crossing_updates_and_orders_all_succeed_and_no_piece_is_lost(shop, clerk, alice, products):
    for _ in range(ROUNDS):
        assert rush(shop, clerk, alice, products) == {200, 201}
    assert not stock_ledger.find_discrepancies().exists()


def test_without_the_locks_pieces_are_lost(unguarded_shop, clerk, alice, products):
    """The negative control: the test above can detect lost pieces, and deadlocks."""
    for _ in range(5 * ROUNDS):
        statuses = rush(unguarded_shop, clerk, alice, products)
        if 503 in statuses or stock_ledger.find_discrepancies().exists():
            return
    pytest.fail("nothing went wrong")


def test_one_key_sent_at_once_is_booked_once(shop, clerk, products):
    staff = shop.client(clerk)
    for number in range(ROUNDS):
        rows = [{"id": product.pk, "quantity_in_stock": number} for product in products]
        send = partial(staff.call, "PATCH", PATH, rows, Idempotency_Key=f"key-{number}")
        responses = at_once(*[send] * 4)
        assert {response.status for response in responses} == {200}
        assert all(response.body == responses[0].body for response in responses)
        assert sum("Idempotent-Replayed" in response.headers for response in responses) == 3
    stocktakes = StockAdjustment.objects.filter(reason="stocktake")
    assert (stocktakes.count(), BulkUpdate.objects.count()) == (ROUNDS * len(products), ROUNDS)
