import pytest
from django.db import IntegrityError, transaction

from products.models import MAX_STOCK, Product, StockAdjustment
from tests import factories


@pytest.fixture
def moka(db):
    return factories.products.make(name="Moka", quantity_in_stock=4)


def adjust(client, product, delta, reason="delivery", **fields):
    body = {"delta": delta, "reason": reason, **fields}
    return client.post(f"/api/products/{product.pk}/adjust-stock/", body)


def stock(product):
    return Product.objects.get(pk=product.pk).quantity_in_stock


def test_adjustment_is_stored_with_its_actor_and_reason(as_clerk, clerk, moka):
    response = adjust(as_clerk, moka, 12, note="Van, 7 o'clock")
    assert response.status_code == 201
    assert response.json() == response.json() | {
        "delta": 12,
        "reason": "delivery",
        "note": "Van, 7 o'clock",
        "actor": clerk.pk,
        "quantity_in_stock": 16,
    }
    assert stock(moka) == 16


def test_opening_stock_is_the_first_adjustment(as_clerk, clerk):
    body = {"name": "Cup", "sku": "C", "price": "3.00", "quantity_in_stock": 7}
    as_clerk.post("/api/products/", body)
    adjustment = StockAdjustment.objects.get()
    assert (adjustment.delta, adjustment.reason, adjustment.actor) == (7, "opening", clerk)


def test_product_without_stock_opens_without_adjustment(as_clerk):
    as_clerk.post("/api/products/", {"name": "Cup", "sku": "C", "price": "3.00"})
    assert not StockAdjustment.objects.exists()


def test_stock_can_be_reduced_to_zero_but_not_below(as_clerk, moka):
    assert adjust(as_clerk, moka, -4, "damaged").json()["quantity_in_stock"] == 0
    response = adjust(as_clerk, moka, -1, "damaged")
    assert (response.status_code, response.json()["code"]) == (409, "stock_out_of_bounds")
    assert "There are 0 in stock" in response.json()["detail"]
    assert moka.adjustments.count() == 2


def test_stock_is_bounded_above(as_clerk, moka):
    response = adjust(as_clerk, moka, MAX_STOCK - 3)
    assert response.status_code == 409
    message = "There are 4 in stock. There can be 1,000,000,000 at most."
    assert response.json()["detail"] == message
    assert response.json()["errors"][0]["pointer"] == "/delta"
    assert adjust(as_clerk, moka, MAX_STOCK - 4).status_code == 201
    assert adjust(as_clerk, moka, -MAX_STOCK).json()["quantity_in_stock"] == 0


def test_stock_above_the_limit_after_a_cancellation_can_only_decrease(as_clerk, alice, moka):
    order = factories.place(alice, {moka: 2})
    adjust(as_clerk, moka, MAX_STOCK - 2)
    order.cancel(by=alice)
    path = f"/api/products/{moka.pk}/"
    assert as_clerk.put(path, as_clerk.get(path).json()).status_code == 200
    assert adjust(as_clerk, moka, 1).status_code == 409
    assert adjust(as_clerk, moka, -1).json()["quantity_in_stock"] == MAX_STOCK + 1


def test_adjustment_is_added_to_the_current_stock(clerk, alice, moka):
    stale_moka = Product.objects.get(pk=moka.pk)
    factories.place(alice, {moka: 3})
    stale_moka.adjust_stock(10, reason="delivery", by=clerk)
    assert stock(moka) == stale_moka.quantity_in_stock == 11


def test_retired_product_can_be_adjusted(as_clerk, moka):
    moka.update_fields(is_active=False)
    assert adjust(as_clerk, moka, -4, "correction").status_code == 201


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"delta": 0}, "/delta", "zero"),
        ({"delta": 1.5}, "/delta", "invalid"),
        ({"delta": "3"}, "/delta", "invalid"),
        ({"delta": True}, "/delta", "invalid"),
        ({"delta": None}, "/delta", "null"),
        ({"delta": 10**30}, "/delta", "max_value"),
        ({"delta": -(10**30)}, "/delta", "min_value"),
        ({"reason": "lost"}, "/reason", "invalid_choice"),
        ({"reason": "opening"}, "/reason", "invalid_choice"),
        ({"reason": "returned"}, "/reason", "invalid_choice"),
        ({"reason": ""}, "/reason", "invalid_choice"),
        ({"reason": None}, "/reason", "null"),
        ({"note": "x" * 501}, "/note", "max_length"),
        ({"note": 7}, "/note", "invalid"),
    ],
)
def test_bad_field_is_named(as_clerk, moka, changes, pointer, code):
    response = adjust(as_clerk, moka, **({"delta": 1} | changes))
    assert response.status_code == 400
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [(pointer, code)]
    assert stock(moka) == 4


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"delta": 0, "reason": "damaged"}, "stock_adjustment_not_zero"),
        ({"reason": "lost"}, "stock_adjustment_reason_known"),
    ],
)
def test_database_refuses_invalid_values(moka, changes, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        StockAdjustment.objects.update(**changes)


def test_database_refuses_a_key_twice(moka, clerk):
    moka.adjust_stock(1, reason="delivery", by=clerk, key="once")
    with pytest.raises(IntegrityError, match="idempotency_key"), transaction.atomic():
        moka.adjustments.create(delta=1, reason="delivery", actor=clerk, idempotency_key="once")


def test_product_with_adjustments_only_can_be_deleted(as_clerk, moka):
    assert as_clerk.delete(f"/api/products/{moka.pk}/").status_code == 204
