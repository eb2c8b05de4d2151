"""An adjustment or a new product that is sent again with its key is booked once."""

import pytest

from products.models import Product, StockAdjustment
from tests import factories

KEY = "7b6c1f5e-delivery-1"
DELIVERY = {"delta": 10, "reason": "delivery", "note": "Van, 7 o'clock"}
# Without an SKU, nothing else keeps a second product from being added.
CUP = {"name": "Cup", "price": "3.00", "quantity_in_stock": 7}


def adjust(client, product, key=KEY, **changes):
    path = f"/api/products/{product.pk}/adjust-stock/"
    return client.post(path, DELIVERY | changes, headers={"Idempotency-Key": key})


def add(client, key=KEY, **changes):
    return client.post("/api/products/", CUP | changes, headers={"Idempotency-Key": key})


def assert_replayed(response, first):
    assert (response.status_code, response.json()) == (201, first.json())
    assert response["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first


def assert_reused(response):
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert response.json()["errors"][0]["header"] == "Idempotency-Key"


# --- Stock adjustments --------------------------------------------------------------------------


def test_adjustment_that_is_sent_again_is_booked_once(as_clerk, product):
    first = adjust(as_clerk, product)
    for _ in range(2):
        assert_replayed(adjust(as_clerk, product), first)
    product.refresh_from_db()
    assert product.quantity_in_stock == 110
    assert product.adjustments.count() == 2


def test_first_response_has_the_stock_of_then(as_clerk, alice, product):
    first = adjust(as_clerk, product)
    factories.place(alice, {product: 3})
    as_clerk.patch(f"/api/products/{product.pk}/", {"name": "Changed", "is_active": False})
    assert first.json()["quantity_in_stock"] == 110
    assert_replayed(adjust(as_clerk, product), first)


def test_adjustment_that_took_the_last_pieces_is_replayed(as_clerk, product):
    first = adjust(as_clerk, product, delta=-100)
    assert_replayed(adjust(as_clerk, product, delta=-100), first)


@pytest.mark.parametrize("changes", [{"delta": 11}, {"reason": "correction"}, {"note": ""}])
def test_key_with_another_adjustment_is_rejected(as_clerk, product, changes):
    adjust(as_clerk, product)
    assert_reused(adjust(as_clerk, product, **changes))
    product.refresh_from_db()
    assert product.quantity_in_stock == 110


def test_key_with_another_product_is_rejected(as_clerk, product):
    other = factories.products.make()
    adjust(as_clerk, product)
    assert_reused(adjust(as_clerk, other))
    other.refresh_from_db()
    assert other.quantity_in_stock == 100


def test_key_belongs_to_the_account_that_sends_it(as_clerk, api, product):
    as_manager = api.as_user(factories.customers.make(is_staff=True))
    ids = {adjust(client, product).json()["id"] for client in (as_clerk, as_manager)}
    assert len(ids) == 2


def test_keys_of_orders_and_adjustments_are_separate(as_clerk, product):
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    order = as_clerk.post("/api/orders/", body, headers={"Idempotency-Key": KEY})
    assert (order.status_code, adjust(as_clerk, product).status_code) == (201, 201)


def test_rejected_adjustment_frees_its_key(as_clerk, product):
    assert adjust(as_clerk, product, delta=-101).status_code == 409
    assert adjust(as_clerk, product, delta=0).status_code == 400
    product.adjust_stock(1, reason="delivery", by=None)
    response = adjust(as_clerk, product, delta=-101)
    assert (response.status_code, response.json()["quantity_in_stock"]) == (201, 0)
    assert "Idempotent-Replayed" not in response


def test_adjustments_without_a_key_are_separate(as_clerk, product):
    path = f"/api/products/{product.pk}/adjust-stock/"
    assert len({as_clerk.post(path, DELIVERY).json()["id"] for _ in range(3)}) == 3


@pytest.mark.parametrize("send", [add, lambda client, key: adjust(client, Product(pk=1), key)])
@pytest.mark.parametrize("key", ["", "two words", "k" * 256, "a,b", "ü"])
def test_bad_key_is_named(as_clerk, send, key):
    factories.products.make(pk=1)
    response = send(as_clerk, key=key)
    assert response.status_code == 400
    assert [error["header"] for error in response.json()["errors"]] == ["Idempotency-Key"]
    assert (Product.objects.count(), StockAdjustment.objects.count()) == (1, 1)


# --- New products -------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"sku": "C-1"}, {"quantity_in_stock": 0}])
def test_product_that_is_sent_again_is_added_once(as_clerk, changes):
    first = add(as_clerk, **changes)
    for _ in range(2):
        assert_replayed(add(as_clerk, **changes), first)
    assert Product.objects.get().pk == first.json()["id"]


def test_first_response_has_the_product_of_then(as_clerk, alice):
    first = add(as_clerk, sku="C-1")
    product = Product.objects.get()
    factories.place(alice, {product: 3})
    changes = {"name": "Mug", "sku": "M-1", "price": "9.00", "is_active": False}
    as_clerk.patch(f"/api/products/{product.pk}/", changes)
    assert_replayed(add(as_clerk, sku="C-1"), first)


@pytest.mark.parametrize("changes", [{"price": "3.50"}, {"sku": "C-1"}, {"name": ""}])
def test_key_with_another_product_body_is_rejected(as_clerk, changes):
    add(as_clerk)
    assert_reused(add(as_clerk, **changes))
    assert Product.objects.count() == 1


def test_key_of_an_adjustment_is_not_that_of_a_product(as_clerk, product):
    adjust(as_clerk, product)
    assert_reused(add(as_clerk))


def test_rejected_product_frees_its_key(as_clerk):
    assert add(as_clerk, price="dear").status_code == 400
    assert "Idempotent-Replayed" not in add(as_clerk)


def test_taken_sku_is_named_with_an_unused_key_too(as_clerk):
    factories.products.make(sku="C-1")
    response = add(as_clerk, sku="c-1")
    assert [error["code"] for error in response.json()["errors"]] == ["unique"]


def test_products_without_a_key_are_separate(as_clerk):
    assert len({as_clerk.post("/api/products/", CUP).json()["id"] for _ in range(2)}) == 2


def test_product_without_stock_keeps_its_key_in_an_opening_of_zero(as_clerk):
    add(as_clerk, quantity_in_stock=0)
    opening = StockAdjustment.objects.get()
    assert (opening.delta, opening.reason, opening.idempotency_key) == (0, "opening", KEY)
