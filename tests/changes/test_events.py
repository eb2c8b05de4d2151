"""What writes a change, and which: whoever writes, by the API or by SQL."""

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from changes.models import Change
from customers.models import Customer
from orders.models import Order
from products.categories import Category
from products.models import Product
from tests import factories
from tests.changes.follower import Follower

pytestmark = pytest.mark.django_db(transaction=True)
PRODUCT = {"name": "Mocha", "sku": "M-1", "price": "9.00", "quantity_in_stock": 5}
PERSON = {"username": "dora", "email": "dora@example.com", "password": factories.PASSWORD}


@pytest.fixture
def follower(as_clerk):
    return Follower(as_clerk)


@pytest.fixture
def changes_by(follower):
    """Return a function that calls the API and returns the changes that this made."""

    def get_changes(client, method, path, body=None):
        follower.read_all()
        response = getattr(client, method)(path, body)
        assert response.status_code < 300, response.json()
        return follower.read_all()

    return get_changes


def test_product_is_created_and_deleted(changes_by, as_clerk):
    changes = changes_by(as_clerk, "post", "/api/products/", PRODUCT)
    pk = Product.objects.get().pk
    assert changes == [("product", pk, "created")]
    assert changes_by(as_clerk, "delete", f"/api/products/{pk}/") == [("product", pk, "deleted")]


def test_product_is_put_into_categories_and_taken_out(changes_by, as_clerk, product):
    for slug in ("tea", "mugs"):
        Category.objects.create(name=slug, slug=slug)
    path = f"/api/products/{product.pk}/"
    changed = {("product", product.pk, "changed")}
    for slugs, expected in ((["tea", "mugs"], changed), (["mugs"], changed), (["mugs"], set())):
        assert {*changes_by(as_clerk, "patch", path, {"categories": slugs})} == expected
    assert {*changes_by(as_clerk, "delete", "/api/categories/mugs/")} == changed
    assert changes_by(as_clerk, "patch", "/api/categories/tea/", {"name": "Teas"}) == []


def test_product_is_put_into_a_category_by_sql(follower, product):
    tea = Category.objects.create(name="Tea", slug="tea")
    follower.read_all()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO products_product_categories (product_id, category_id) VALUES (%s, %s)",
            [product.pk, tea.pk],
        )
        cursor.execute("UPDATE products_product_categories SET category_id = category_id")
    assert {*follower.read_all()} == {("product", product.pk, "changed")}


@pytest.mark.parametrize(
    ("body", "events"),
    [
        ({"price": "1.23"}, ["price"]),
        ({"name": "Other"}, ["changed"]),
        ({"description": "Other"}, ["changed"]),
        ({"sku": None}, ["changed"]),
        ({"is_active": False}, ["retired"]),
        ({"price": "1.23", "name": "Other"}, ["changed", "price"]),
        ({"price": "12.50"}, []),
    ],
)
def test_product_is_changed(changes_by, as_clerk, product, body, events):
    changes = changes_by(as_clerk, "patch", f"/api/products/{product.pk}/", body)
    assert sorted(changes) == [("product", product.pk, event) for event in events]


def test_retired_product_is_for_sale_again(changes_by, as_clerk):
    product = factories.products.make(is_active=False)
    changes = changes_by(as_clerk, "patch", f"/api/products/{product.pk}/", {"is_active": True})
    assert changes == [("product", product.pk, "changed")]


def test_stock_is_adjusted(changes_by, as_clerk, product):
    path, body = f"/api/products/{product.pk}/adjust-stock/", {"delta": 2, "reason": "delivery"}
    assert changes_by(as_clerk, "post", path, body) == [("product", product.pk, "stock")]


def test_last_of_a_product_is_sold_out_once(changes_by, as_clerk, product):
    def adjust(delta):
        body = {"delta": delta, "reason": "correction"}
        changes = changes_by(as_clerk, "post", f"/api/products/{product.pk}/adjust-stock/", body)
        return [event for *_, event in changes]

    assert sorted(adjust(-product.quantity_in_stock)) == ["sold_out", "stock"]
    assert adjust(1) == ["stock"]


def test_order_is_placed_and_moved(changes_by, as_alice, as_clerk):
    products = factories.products.make(_quantity=3)
    body = {"items": [{"product": product.pk, "quantity": 1} for product in products]}
    changes = changes_by(as_alice, "post", "/api/orders/", body)
    pk = Order.objects.get().pk
    stock = sorted(("product", product.pk, "stock") for product in products)
    assert sorted(changes[:3]) == stock
    assert changes[3:] == [("order", pk, "placed")]
    for name, status in (("confirm", "confirmed"), ("ship", "shipped"), ("deliver", "delivered")):
        path = f"/api/orders/{pk}/{name}/"
        assert changes_by(as_clerk, "post", path) == [("order", pk, status)]


def test_order_is_cancelled(changes_by, as_alice, alice, product):
    order = factories.place(alice, {product: 1})
    changes = changes_by(as_alice, "post", f"/api/orders/{order.pk}/cancel/")
    assert changes == [("order", order.pk, "cancelled"), ("product", product.pk, "stock")]


def test_order_is_changed_without_another_status(follower, alice, clerk, product):
    """A shipping with its tracking number is one change."""
    order = factories.place(alice, {product: 2})
    order.confirm(by=clerk)
    follower.read_all()
    order.correct_address(order.postal_address | {"city": "Ribe"}, by=clerk)
    assert follower.read_all() == [("order", order.pk, "changed")]
    order.ship(by=clerk, carrier="DHL", tracking_number="12")
    assert follower.read_all() == [("order", order.pk, "shipped")]
    order.return_items({product.pk: 1}, by=clerk)
    assert sorted(follower.read_all()) == [
        ("order", order.pk, "changed"),
        ("product", product.pk, "stock"),
    ]
    order.return_items({product.pk: 1}, damaged=True, by=clerk)
    assert follower.read_all() == [("order", order.pk, "changed")]


def test_order_whose_shipping_is_undone_is_confirmed_again(follower, alice, clerk, product):
    order = factories.place(alice, {product: 2})
    order.confirm(by=clerk)
    order.ship(by=clerk, carrier="DHL", tracking_number="12")
    follower.read_all()
    order.undo(by=clerk)
    assert follower.read_all() == [("order", order.pk, "confirmed")]


def test_customer_registers(changes_by, api):
    changes = changes_by(api, "post", "/api/customers/", PERSON)
    assert changes == [("customer", Customer.objects.get(username="dora").pk, "created")]


def test_customer_changes_the_profile_and_closes_the_account(
    changes_by, as_alice, alice, clerk, product
):
    alice.change_password(factories.PASSWORD)
    as_alice = type(as_alice)().as_user(alice)
    order = factories.place(alice, {product: 1})
    order.cancel(by=clerk)
    changes = changes_by(as_alice, "patch", "/api/customers/me/", {"city": "Ribe"})
    assert changes == [("customer", alice.pk, "changed")]
    body = {"current_password": factories.PASSWORD}
    changes = changes_by(as_alice, "post", "/api/customers/me/close/", body)
    assert changes == [("customer", alice.pk, "closed"), ("order", order.pk, "changed")]


def test_what_nobody_sees_is_no_change(follower, alice, product, client):
    follower.read_all()
    alice.change_password(factories.PASSWORD)
    Customer.objects.filter(pk=alice.pk).update(is_staff=True)
    assert follower.read_all() == [("customer", alice.pk, "changed")]
    client.login(username="alice", password=factories.PASSWORD)
    alice.refresh_from_db()
    assert alice.last_login
    Product.objects.update(search_text="other")
    Product.objects.filter(pk=-1).update(price=1)
    assert follower.read_all() == []


def test_change_that_is_rolled_back_is_none(follower, alice, product):
    follower.read_all()
    with transaction.atomic():
        product.update_fields(price="1.23")
        factories.place(alice, {product: 1})
        transaction.set_rollback(True)
    assert follower.read_all() == []


def test_sql_that_changes_many_rows_is_as_many_changes(follower):
    products = factories.products.make(_quantity=40)
    follower.read_all()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_product SET price = price + 1")
        cursor.execute("DELETE FROM products_stockadjustment")
        cursor.execute("DELETE FROM products_product")
    pairs = [(product.pk, event) for product in products for event in ("deleted", "price")]
    assert sorted(follower.read_all()) == sorted(("product", *pair) for pair in pairs)


def test_changes_hold_no_personal_data():
    fields = {field.name for field in Change._meta.fields}
    assert fields == {"id", "transaction_id", "type", "object_id", "event", "at"}


@pytest.mark.slow
def test_triggers_are_there_again_after_tables_were_made_anew(as_clerk, alice):
    try:
        call_command("migrate", "products", "0004", verbosity=0)
        call_command("migrate", "changes", "zero", verbosity=0)
    finally:
        call_command("migrate", verbosity=0)
    follower = Follower(as_clerk)
    product = factories.products.make()
    order = factories.place(alice, {product: 1})
    assert follower.read_all() == [
        ("product", product.pk, "created"),
        ("product", product.pk, "stock"),
        ("order", order.pk, "placed"),
    ]
