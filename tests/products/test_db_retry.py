"""A verb that another transaction holds up is tried again, and at last answered with a 503."""

import time

import pytest
from django.db import OperationalError, connection, connections, transaction

from products.db_retry import MAX_ATTEMPTS
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def impatient():
    """This thread's connection waits for a lock for 50 ms at most (on SQLite: looks once)."""
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0" if sqlite else "SET lock_timeout = 50")
    yield
    connection.close()


@pytest.fixture
def product():
    return factories.products.make(quantity_in_stock=4)


@pytest.fixture
def rival(product, impatient):
    """Another connection, in a transaction that has locked the product."""
    rival = connections.create_connection("default")
    rival.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    with rival.cursor() as cursor:
        cursor.execute("UPDATE products_product SET name = name WHERE id = %s", [product.pk])
    yield rival
    rival.rollback()
    rival.close()


class Tries:
    """Counts the transactions that this thread begins to no avail, and may end the rival's."""

    def __init__(self, rival, ends_with=None):
        self.rival, self.ends_with, self.count = rival, ends_with, 0

    def __call__(self, execute, sql, params, many, context):
        try:
            return execute(sql, params, many, context)
        except OperationalError:
            self.count += 1
            if self.count == self.ends_with:
                self.rival.rollback()
            raise


def test_lock_that_goes_away_in_time_is_never_noticed(product, rival):
    tries = Tries(rival, ends_with=MAX_ATTEMPTS - 1)
    with connection.execute_wrapper(tries):
        product.adjust_stock(3, reason="delivery", by=None)
    assert tries.count == MAX_ATTEMPTS - 1
    product.refresh_from_db()
    assert product.quantity_in_stock == 7
    assert product.adjustments.count() == 2


def test_who_waited_long_enough_does_not_try_again(product, rival, settings):
    settings.LOCK_TIMEOUT = 0.01
    tries = Tries(rival)
    with connection.execute_wrapper(tries), pytest.raises(OperationalError):
        product.adjust_stock(3, reason="delivery", by=None)
    assert tries.count == 1


def test_lock_that_stays_is_told_after_three_tries(product, rival, settings):
    tries, began = Tries(rival), time.monotonic()
    with connection.execute_wrapper(tries), pytest.raises(OperationalError):
        product.adjust_stock(3, reason="delivery", by=None)
    assert tries.count == MAX_ATTEMPTS
    assert time.monotonic() - began < settings.LOCK_TIMEOUT + 1
    assert product.adjustments.count() == 1


def test_verb_within_a_transaction_is_tried_once(product, rival):
    if connection.vendor == "sqlite":
        pytest.skip("the outer transaction itself waits for SQLite's one lock")
    tries = Tries(rival)
    with (
        connection.execute_wrapper(tries),
        pytest.raises(OperationalError),
        transaction.atomic(),
    ):
        product.adjust_stock(3, reason="delivery", by=None)
    assert tries.count == 1


def test_order_that_cannot_have_its_lock_is_a_503_and_nothing_is_written(as_alice, product, rival):
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    answer = as_alice.post("/api/orders/", body, headers={"Idempotency-Key": "later"})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert answer["Retry-After"] == "1"
    rival.rollback()
    again = as_alice.post("/api/orders/", body, headers={"Idempotency-Key": "later"})
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again


def test_error_of_another_kind_is_not_tried_again(product):
    def lose_the_connection(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            attempts.append(sql)
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    attempts = []
    with connection.execute_wrapper(lose_the_connection), pytest.raises(OperationalError):
        product.adjust_stock(3, reason="delivery", by=None)
    assert len(attempts) == 1
