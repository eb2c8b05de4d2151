"""A write that another transaction blocks is retried, and in the end answered with a 503."""

import time

import pytest
from django.db import OperationalError, connection, connections, transaction

from products.db_retry import MAX_ATTEMPTS
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_lock_timeout():
    """This thread's connection waits for a lock for at most 50 ms (on SQLite: not at all)."""
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0" if sqlite else "SET lock_timeout = 50")
    yield
    connection.close()


@pytest.fixture
def product():
    return factories.products.make(quantity_in_stock=4)


@pytest.fixture
def rival(product, short_lock_timeout):
    """Another connection, in a transaction that has locked the product."""
    rival = connections.create_connection("default")
    rival.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    with rival.cursor() as cursor:
        cursor.execute("UPDATE products_product SET name = name WHERE id = %s", [product.pk])
    yield rival
    rival.rollback()
    rival.close()


class FailedAttempts:
    """Count this thread's failed attempts, and roll the rival back after `max_failures` of them."""

    def __init__(self, rival, max_failures=None):
        self.rival, self.max_failures, self.count = rival, max_failures, 0

    def __call__(self, execute, sql, params, many, context):
        try:
            return execute(sql, params, many, context)
        except OperationalError:
            self.count += 1
            if self.count == self.max_failures:
                self.rival.rollback()
            raise


def test_write_succeeds_if_the_lock_is_released_in_time(product, rival):
    failed_attempts = FailedAttempts(rival, max_failures=MAX_ATTEMPTS - 1)
    with connection.execute_wrapper(failed_attempts):
        product.adjust_stock(3, reason="delivery", by=None)
    assert failed_attempts.count == MAX_ATTEMPTS - 1
    product.refresh_from_db()
    assert product.quantity_in_stock == 7
    assert product.adjustments.count() == 2


def test_write_is_not_retried_after_the_lock_timeout(product, rival, settings):
    settings.LOCK_TIMEOUT = 0.01
    failed_attempts = FailedAttempts(rival)
    with connection.execute_wrapper(failed_attempts), pytest.raises(OperationalError):
        product.adjust_stock(3, reason="delivery", by=None)
    assert failed_attempts.count == 1


def test_persistent_lock_raises_after_the_last_attempt(product, rival, settings):
    failed_attempts, start = FailedAttempts(rival), time.monotonic()
    with connection.execute_wrapper(failed_attempts), pytest.raises(OperationalError):
        product.adjust_stock(3, reason="delivery", by=None)
    assert failed_attempts.count == MAX_ATTEMPTS
    assert time.monotonic() - start < settings.LOCK_TIMEOUT + 1
    assert product.adjustments.count() == 1


def test_write_within_a_transaction_is_not_retried(product, rival):
    if connection.vendor == "sqlite":
        pytest.skip("the outer transaction itself waits for SQLite's one lock")
    failed_attempts = FailedAttempts(rival)
    with (
        connection.execute_wrapper(failed_attempts),
        pytest.raises(OperationalError),
        transaction.atomic(),
    ):
        product.adjust_stock(3, reason="delivery", by=None)
    assert failed_attempts.count == 1


def test_order_that_cannot_get_its_lock_returns_503_and_writes_nothing(as_alice, product, rival):
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    response = as_alice.post("/api/orders/", body, headers={"Idempotency-Key": "later"})
    assert (response.status_code, response.json()["code"]) == (503, "service_unavailable")
    assert response["Retry-After"] == "1"
    rival.rollback()
    retry = as_alice.post("/api/orders/", body, headers={"Idempotency-Key": "later"})
    assert retry.status_code == 201
    assert "Idempotent-Replayed" not in retry


def test_other_error_is_not_retried(product):
    def lose_the_connection(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            attempts.append(sql)
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    attempts = []
    with connection.execute_wrapper(lose_the_connection), pytest.raises(OperationalError):
        product.adjust_stock(3, reason="delivery", by=None)
    assert len(attempts) == 1
