import pytest

from tests import factories


@pytest.fixture
def path(alice, product):
    return f"/api/orders/{factories.place(alice, {product: 2}).pk}/"


def test_customer_reads_their_order(as_alice, path):
    answer = as_alice.get(path).json()
    assert (answer["status"], answer["total_price"]) == ("placed", "25.00")


def test_another_customers_order_is_not_found(as_bob, path):
    assert as_bob.get(path).status_code == 404


def test_staff_read_any_order(as_clerk, path):
    assert as_clerk.get(path).status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_order_is_a_record(as_clerk, path, method):
    answer = getattr(as_clerk, method)(path, {"status": "cancelled"})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer["Allow"]
