"""A PATCH of `quantity_in_stock` books the difference between what was counted and the stock."""

import pytest

from products.models import MAX_STOCK, Product
from tests import factories


@pytest.fixture
def path(product):
    return f"/api/products/{product.pk}/"


@pytest.mark.parametrize(("count", "delta"), [(50, -50), (103, 3), (0, -100)])
def test_difference_is_booked_as_a_stocktake(as_clerk, clerk, product, path, count, delta):
    response = as_clerk.patch(path, {"quantity_in_stock": count})
    assert (response.status_code, response.json()["quantity_in_stock"]) == (200, count)
    assert response.json() == as_clerk.get(path).json()
    adjustment = product.adjustments.first()
    assert (adjustment.delta, adjustment.reason) == (delta, "stocktake")
    assert (adjustment.actor, adjustment.quantity_in_stock) == (clerk, count)


def test_count_that_equals_the_stock_books_nothing(as_clerk, product, path):
    assert as_clerk.patch(path, {"quantity_in_stock": 100}).status_code == 200
    assert [adjustment.reason for adjustment in product.adjustments.all()] == ["opening"]


def test_other_fields_are_changed_with_it(as_clerk, product, path):
    data = as_clerk.patch(path, {"quantity_in_stock": 50, "price": "14.00"}).json()
    assert (data["quantity_in_stock"], data["price"]) == (50, "14.00")


@pytest.mark.parametrize("count", [MAX_STOCK + 1, 2**31 - 1])
def test_count_beyond_the_limit_changes_nothing(as_clerk, product, path, count):
    response = as_clerk.patch(path, {"quantity_in_stock": count, "price": "14.00"})
    assert (response.status_code, response.json()["code"]) == (409, "stock_out_of_bounds")
    assert response.json()["errors"][0]["pointer"] == "/quantity_in_stock"
    product.refresh_from_db()
    assert (product.quantity_in_stock, product.price, product.revision) == (100, 12.5, 1)


def test_stock_above_the_limit_after_a_cancellation_can_be_counted(as_clerk, alice, product, path):
    order = factories.place(alice, {product: 2})
    product.adjust_stock(MAX_STOCK - 98, reason="delivery", by=None)
    order.cancel(by=alice)
    for count in (MAX_STOCK + 2, MAX_STOCK + 1, 7):
        data = as_clerk.patch(path, {"quantity_in_stock": count}).json()
        assert data["quantity_in_stock"] == count


def test_difference_is_that_to_the_current_stock(clerk, alice, product):
    stale_product = Product.objects.get(pk=product.pk)
    factories.place(alice, {product: 3})
    stale_product.update_fields(quantity_in_stock=100, by=clerk)
    assert product.adjustments.first().delta == 3
    assert stale_product.quantity_in_stock == 100


@pytest.mark.parametrize("count", [-1, 2**31, 10**30, "50", 50.0, None, True])
def test_bad_count_is_named(as_clerk, product, path, count):
    response = as_clerk.patch(path, {"quantity_in_stock": count})
    assert [error["pointer"] for error in response.json()["errors"]] == ["/quantity_in_stock"]
    assert product.adjustments.count() == 1


def test_only_staff_count_the_stock(as_alice, product, path):
    assert as_alice.patch(path, {"quantity_in_stock": 1}).status_code == 403
