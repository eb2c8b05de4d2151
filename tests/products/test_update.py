import pytest
from django.db import connection
from django.db.models import F

from products.models import Product
from tests import factories


@pytest.fixture
def path(product):
    return f"/api/products/{product.pk}/"


def test_patch_changes_only_the_fields_sent(as_clerk, path, product):
    response = as_clerk.patch(path, {"price": "14.00"})
    assert response.json()["price"] == "14.00"
    assert response.json()["name"] == product.name
    assert response.json()["modified"] > response.json()["created"]


def test_put_replaces_all_but_the_stock(as_clerk, path):
    response = as_clerk.put(path, {"name": "Moka", "sku": "M", "price": "9.00"})
    assert (response.json()["name"], response.json()["quantity_in_stock"]) == ("Moka", 100)


def test_stock_is_not_replaced(as_clerk, path, product):
    body = {"name": "Moka", "sku": "M", "price": "9.00", "quantity_in_stock": 99}
    response = as_clerk.put(path, body)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/quantity_in_stock", "not_overwritten")
    assert "PATCH" in error["detail"]
    assert "adjust-stock/" in error["detail"]
    product.refresh_from_db()
    assert (product.quantity_in_stock, product.price) == (100, 12.5)


def test_unchanged_body_can_be_put_back(as_clerk, path):
    assert as_clerk.put(path, as_clerk.get(path).json()).status_code == 200


def test_concurrent_sale_is_not_overwritten(as_clerk, path, product):
    """Another connection sells after this request has read the row and before it writes."""

    def sell_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and not sold:
            sold.append(3)
            Product.objects.update(quantity_in_stock=F("quantity_in_stock") - 3)
        return execute(sql, params, many, context)

    sold = []
    with connection.execute_wrapper(sell_first):
        as_clerk.patch(path, {"price": "14.00"})
    product.refresh_from_db()
    assert (product.quantity_in_stock, product.price) == (97, 14)


def test_product_deleted_concurrently_is_not_found(as_clerk, path, product):
    def delete_first(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            Product.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_first):
        assert as_clerk.patch(path, {"price": "14.00"}).status_code == 404


def test_sku_of_another_product_is_refused_and_its_own_is_accepted(as_clerk, path, product):
    other = factories.products.make()
    assert as_clerk.patch(path, {"sku": other.sku}).status_code == 400
    assert as_clerk.patch(path, {"sku": product.sku}).status_code == 200


def test_placed_orders_keep_the_old_name_and_price(as_clerk, as_alice, alice, path, product):
    order = factories.place(alice, {product: 2})
    as_clerk.patch(path, {"name": "New name", "price": "99.00", "sku": "NEW"})
    item = as_alice.get(f"/api/orders/{order.pk}/").json()["items"][0]
    assert (item["name"], item["sku"], item["unit_price"]) == (product.name, product.sku, "12.50")


def test_retired_product_leaves_the_catalogue(as_clerk, api, path):
    as_clerk.patch(path, {"is_active": False})
    assert api.get("/api/products/").json()["count"] == 0


@pytest.mark.parametrize("field", ["id", "created", "modified", "currency", "in_stock"])
def test_read_only_field_is_not_changed(as_clerk, path, field):
    before = as_clerk.get(path).json()
    after = as_clerk.patch(path, {field: "2001-01-01T00:00:00Z"}).json()
    assert after["id"] == before["id"]
    assert after["created"] == before["created"]
    assert after["modified"] > before["modified"]
    assert (after["currency"], after["in_stock"]) == ("EUR", True)
