import pytest

from tests import factories


@pytest.fixture
def path(alice, product):
    return f"/api/orders/{factories.place(alice, {product: 2}).pk}/"


def test_customer_reads_their_order(as_alice, path):
    data = as_alice.get(path).json()
    assert (data["status"], data["total_price"]) == ("placed", "25.00")


def test_another_customers_order_returns_404(as_bob, path):
    assert as_bob.get(path).status_code == 404


def test_staff_read_any_order(as_clerk, path):
    assert as_clerk.get(path).status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_order_cannot_be_changed_or_deleted(as_clerk, path, method):
    response = getattr(as_clerk, method)(path, {"status": "cancelled"})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in response["Allow"]
