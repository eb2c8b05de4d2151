import pytest
from django.db import connection
from django.db.models import F

from products.models import Product
from tests import factories


@pytest.fixture
def path(product):
    return f"/api/products/{product.pk}/"


def test_patch_writes_only_what_it_was_sent(as_clerk, path, product):
    answer = as_clerk.patch(path, {"price": "14.00"})
    assert answer.json()["price"] == "14.00"
    assert answer.json()["name"] == product.name
    assert answer.json()["modified"] > answer.json()["created"]


def test_put_replaces_all_but_the_stock(as_clerk, path):
    answer = as_clerk.put(path, {"name": "Moka", "sku": "M", "price": "9.00"})
    assert (answer.json()["name"], answer.json()["quantity_in_stock"]) == ("Moka", 100)


@pytest.mark.parametrize("method", ["put", "patch"])
def test_stock_is_not_overwritten(as_clerk, path, product, method):
    body = {"name": "Moka", "sku": "M", "price": "9.00", "quantity_in_stock": 99}
    answer = getattr(as_clerk, method)(path, body)
    assert answer.status_code == 400
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/quantity_in_stock", "not_overwritten")
    ]
    product.refresh_from_db()
    assert (product.quantity_in_stock, product.price) == (100, 12.5)


def test_what_was_read_may_be_put_back_whole(as_clerk, path):
    assert as_clerk.put(path, as_clerk.get(path).json()).status_code == 200


def test_sale_between_reading_and_writing_survives(as_clerk, path, product):
    """Another connection's sale, at the moment when the row was read and is not yet written."""

    def sell_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and not sold:
            sold.append(3)
            Product.objects.update(quantity_in_stock=F("quantity_in_stock") - 3)
        return execute(sql, params, many, context)

    sold = []
    with connection.execute_wrapper(sell_first):
        as_clerk.patch(path, {"price": "14.00", "quantity_in_stock": 100})
    product.refresh_from_db()
    assert (product.quantity_in_stock, product.price) == (97, 14)


def test_product_deleted_in_the_meantime_is_not_found(as_clerk, path, product):
    def delete_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            Product.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_first):
        assert as_clerk.patch(path, {"price": "14.00"}).status_code == 404


def test_sku_of_another_product_is_taken_and_its_own_is_not(as_clerk, path, product):
    other = factories.products.make()
    assert as_clerk.patch(path, {"sku": other.sku}).status_code == 400
    assert as_clerk.patch(path, {"sku": product.sku}).status_code == 200


def test_placed_orders_keep_the_old_name_and_price(as_clerk, as_alice, alice, path, product):
    order = factories.place(alice, {product: 2})
    as_clerk.patch(path, {"name": "New name", "price": "99.00", "sku": "NEW"})
    line = as_alice.get(f"/api/orders/{order.pk}/").json()["items"][0]
    assert (line["name"], line["sku"], line["unit_price"]) == (product.name, product.sku, "12.50")


def test_retired_product_leaves_the_catalogue(as_clerk, api, path):
    as_clerk.patch(path, {"is_active": False})
    assert api.get("/api/products/").json()["count"] == 0


@pytest.mark.parametrize("field", ["id", "created", "modified", "currency", "in_stock"])
def test_what_is_read_only_stays(as_clerk, path, field):
    before = as_clerk.get(path).json()
    after = as_clerk.patch(path, {field: "2001-01-01T00:00:00Z"}).json()
    assert after["id"] == before["id"]
    assert after["created"] == before["created"]
    assert after["modified"] > before["modified"]
    assert (after["currency"], after["in_stock"]) == ("EUR", True)
