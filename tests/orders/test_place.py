import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orders.models import MAX_TOTAL, Order, OrderItem
from products.managers import NotForSale, OutOfStock
from products.models import Product
from tests import factories

ADDRESS = {
    "name": "Rosa Vogt",
    "contact_number": "+351 22 555 0101",
    "street_1": "Rua das Flores 21",
    "street_2": "3.º esq.",
    "city": "Porto",
    "state": "Norte",
    "postal_code": "4050-265",
    "country": "Portugal",
}


def order_item(product, quantity):
    return {"product": getattr(product, "pk", product), "quantity": quantity}


def order(client, *pairs, **body):
    return client.post("/api/orders/", {"items": [order_item(*pair) for pair in pairs], **body})


def errors(response):
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def read_stock(*products):
    for product in products:
        product.refresh_from_db()
    return [product.quantity_in_stock for product in products]


@pytest.fixture
def moka(db):
    return factories.products.make(name="Moka", sku="MOK", price="34.90", quantity_in_stock=4)


@pytest.fixture
def cup(db):
    return factories.products.make(name="Cup", sku="CUP", price="18.55", quantity_in_stock=7)


def test_order_copies_names_skus_and_prices(as_alice, alice, moka, cup):
    response = order(as_alice, (cup, 3), (moka, 1))
    assert response.status_code == 201
    body = response.json()
    assert body == body | {
        "status": "placed",
        "customer": alice.pk,
        "items": [
            {
                "product": cup.pk,
                "name": "Cup",
                "sku": "CUP",
                "unit_price": "18.55",
                "quantity": 3,
                "line_total": "55.65",
                "returned": 0,
            },
            {
                "product": moka.pk,
                "name": "Moka",
                "sku": "MOK",
                "unit_price": "34.90",
                "quantity": 1,
                "line_total": "34.90",
                "returned": 0,
            },
        ],
        "total_price": "90.55",
        "currency": "EUR",
    }
    assert body == as_alice.get(f"/api/orders/{body['id']}/").json()
    assert read_stock(moka, cup) == [3, 4]


def test_currency_of_the_shop_is_copied(as_alice, moka, settings):
    settings.SHOP_CURRENCY = "NOK"
    placed = order(as_alice, (moka, 1)).json()
    settings.SHOP_CURRENCY = "EUR"
    assert as_alice.get(f"/api/orders/{placed['id']}/").json()["currency"] == "NOK"


def test_order_is_shipped_to_the_customers_address_by_default(as_alice, moka):
    assert order(as_alice, (moka, 1)).json()["shipping_address"] == {
        "name": as_alice.get("/api/customers/me/").json()["first_name"]
        + " "
        + as_alice.get("/api/customers/me/").json()["last_name"],
        "contact_number": "",
        "street_1": "Kattesundet 4",
        "street_2": "",
        "city": "Aarhus",
        "state": "",
        "postal_code": "8000",
        "country": "Denmark",
    }


def test_order_is_shipped_to_its_shipping_address(as_alice, moka):
    response = order(as_alice, (moka, 1), shipping_address=ADDRESS)
    assert response.json()["shipping_address"] == ADDRESS


def test_recipient_is_the_customer_if_the_address_has_no_name(as_alice, alice, moka):
    address = {"street_1": "Rua das Flores 21", "city": "Porto", "country": "Portugal"}
    alice.contact_number = "+45 86 55 01 02"
    alice.save()
    result = order(as_alice, (moka, 1), shipping_address=address).json()["shipping_address"]
    assert result == {
        "name": alice.get_full_name(),
        "contact_number": "+45 86 55 01 02",
        "street_2": "",
        "state": "",
        "postal_code": "",
        **address,
    }


def test_last_pieces_are_sold_and_no_more(as_alice, as_bob, moka):
    assert order(as_alice, (moka, 4)).status_code == 201
    assert order(as_bob, (moka, 1)).status_code == 409
    assert read_stock(moka) == [0]


def test_one_short_item_rejects_the_whole_order(as_alice, moka, cup):
    response = order(as_alice, (cup, 7), (moka, 5))
    assert (response.status_code, response.json()["code"]) == (409, "out_of_stock")
    assert response.json()["detail"] == "1 of 2 items cannot be supplied."
    assert response.json()["errors"] == [
        {
            "pointer": "/items/1/quantity",
            "code": "out_of_stock",
            "detail": "Moka: only 4 left.",
            "product": moka.pk,
            "requested": 5,
            "available": 4,
            "unit_price": "34.90",
        }
    ]
    assert response.json()["suggested_items"] == [order_item(cup, 7), order_item(moka, 4)]
    assert read_stock(moka, cup) == [4, 7]
    assert not Order.objects.exists()


def test_every_short_item_is_reported(as_alice, moka, cup):
    order(as_alice, (cup, 7))
    response = order(as_alice, (cup, 1), (moka, 5))
    assert response.json()["detail"] == "None of the 2 items can be supplied."
    assert order(as_alice, (moka, 5)).json()["detail"] == "The item cannot be supplied."
    assert {error["pointer"]: error["detail"] for error in response.json()["errors"]} == {
        "/items/0/quantity": "Cup: none left.",
        "/items/1/quantity": "Moka: only 4 left.",
    }


def test_suggested_items_can_be_posted_unchanged(as_alice, moka, cup):
    response = order(as_alice, (moka, 3), (cup, 8), (moka, 3))
    retry = as_alice.post("/api/orders/", {"items": response.json()["suggested_items"]})
    assert retry.status_code == 201
    assert read_stock(moka, cup) == [0, 0]


def test_items_with_nothing_left_are_not_suggested(as_alice, moka, cup):
    order(as_alice, (cup, 7))
    assert order(as_alice, (cup, 1), (moka, 5)).json()["suggested_items"] == [order_item(moka, 4)]
    assert order(as_alice, (cup, 1)).json()["suggested_items"] == []


def test_different_expected_total_rejects_the_order_and_shows_current_prices(as_alice, moka, cup):
    response = order(as_alice, (moka, 1), (cup, 2), expected_total="70.00")
    assert (response.status_code, response.json()["code"]) == (409, "price_changed")
    assert response.json()["total_price"] == "72.00"
    assert [
        (item["sku"], item["unit_price"], item["line_total"]) for item in response.json()["items"]
    ] == [
        ("MOK", "34.90", "34.90"),
        ("CUP", "18.55", "37.10"),
    ]
    assert read_stock(moka, cup) == [4, 7]


@pytest.mark.parametrize("total", ["34.90", "34.9", 34.9])
def test_expected_total_is_a_string_or_a_number(as_alice, moka, total):
    assert order(as_alice, (moka, 1), expected_total=total).status_code == 201


@pytest.mark.parametrize(
    "total", [None, "", "much", "NaN", "1.234", 1.234, [], "1e20", True, "３4.9"]
)
def test_invalid_expected_total_is_pointed_at(as_alice, moka, total):
    assert "/expected_total" in errors(order(as_alice, (moka, 1), expected_total=total))


def test_numbers_too_large_for_the_database_raise_the_usual_errors(alice, moka):
    """Although no request with such a number gets that far."""
    with pytest.raises(NotForSale):
        Order.objects.place(customer=alice, by=alice, quantities={2**63: 1})
    with pytest.raises(OutOfStock):
        factories.place(alice, {moka: 2**63})
    assert read_stock(moka) == [4]


def test_items_of_one_product_are_merged(as_alice, moka, cup):
    placed = order(as_alice, (moka, 1), (cup, 1), (moka, 2)).json()
    assert [(item["sku"], item["quantity"]) for item in placed["items"]] == [("MOK", 3), ("CUP", 1)]
    assert read_stock(moka, cup) == [1, 6]


def test_shortage_of_merged_items_points_at_the_first(as_alice, moka, cup):
    response = order(as_alice, (cup, 1), (moka, 3), (moka, 3))
    assert errors(response) == {"/items/1/quantity": "out_of_stock"}


def test_merged_items_have_the_limit_of_one(as_alice, cup):
    response = order(as_alice, (cup, 9_999), (cup, 2))
    assert errors(response) == {"/items/1/quantity": "max_value"}


def test_total_that_is_too_large_is_rejected_before_anything_is_written(as_alice):
    expensive = factories.products.make(
        price="9999999999.99", quantity_in_stock=10_000, _quantity=2, _bulk_create=True
    )
    response = order(as_alice, (expensive[0], 1_000), (expensive[1], 1))
    assert errors(response) == {"/items": "max_value"}
    assert read_stock(*expensive) == [10_000, 10_000]
    assert not Order.objects.exists()


def test_largest_total_is_stored_to_the_cent(as_alice):
    expensive = factories.products.make(price="9999999999.99", quantity_in_stock=10_000)
    rest = factories.products.make(price=MAX_TOTAL - Decimal("9999999999.99") * 1000)
    placed = order(as_alice, (expensive, 1_000), (rest, 1)).json()
    assert placed["total_price"] == "9999999999999.99"
    assert as_alice.get(f"/api/orders/{placed['id']}/").json() == placed


@pytest.mark.parametrize(
    ("items", "pointer", "code"),
    [
        (None, "/items", "null"),
        ([], "/items", "empty"),
        ({}, "/items", "not_a_list"),
        ("1", "/items", "not_a_list"),
        ([7], "/items/0", "invalid"),
        ([[]], "/items/0", "invalid"),
        ([{}], "/items/0/product", "required"),
        ([order_item(1, 1)] * 101, "/items", "max_length"),
        ([order_item(1, 0)], "/items/0/quantity", "min_value"),
        ([order_item(1, -1)], "/items/0/quantity", "min_value"),
        ([order_item(1, 10_001)], "/items/0/quantity", "max_value"),
        ([order_item(1, 10**30)], "/items/0/quantity", "max_value"),
        ([order_item(1, 1.9)], "/items/0/quantity", "invalid"),
        ([order_item(1, 1.0)], "/items/0/quantity", "invalid"),
        ([order_item(1, True)], "/items/0/quantity", "invalid"),
        ([order_item(1, None)], "/items/0/quantity", "null"),
        ([order_item(1, "1")], "/items/0/quantity", "invalid"),
        ([order_item(1, "5_0")], "/items/0/quantity", "invalid"),
        ([order_item(1, "５")], "/items/0/quantity", "invalid"),
        ([order_item(1, [1])], "/items/0/quantity", "invalid"),
        ([order_item("1", 1)], "/items/0/product", "invalid"),
        ([order_item(0, 1)], "/items/0/product", "min_value"),
        ([order_item(2**63, 1)], "/items/0/product", "max_value"),
        ([order_item(1, 1), order_item(1, 0)], "/items/1/quantity", "min_value"),
    ],
)
def test_malformed_item_is_pointed_at(as_alice, items, pointer, code):
    response = as_alice.post("/api/orders/", {"items": items})
    assert response.status_code == 400
    assert errors(response)[pointer] == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "parse_error"),
        (b"null", "validation_error"),
        (b"[]", "validation_error"),
        (b'"items"', "validation_error"),
        (b'{"items": [{"product": 1, "quantity": 1e999}]}', "validation_error"),
        (b'{"items": [{"product": 1, "quantity": NaN}]}', "parse_error"),
        (b'{"items": [{"product": 1, "quantity": Infinity}]}', "parse_error"),
        (b'{"items": [{"product": 1, "quantity": ' + b"9" * 5000 + b"}]}", "parse_error"),
        (b'{"items": "\xff"}', "parse_error"),
        (b"[" * 1500 + b"]" * 1500, "parse_error"),
        (b'{"items": ' + b"[" * 60_000, "parse_error"),
        (rb'{"items": [], "shipping_address": {"name": "\ud800"}}', "parse_error"),
        (b'{"items": [{"product": 1, "quantity": 1}]}{}', "parse_error"),
        (b"items=1", "parse_error"),
    ],
)
def test_malformed_body_is_rejected(as_alice, body, code):
    response = as_alice.post("/api/orders/", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"street_1": ""}, "/shipping_address/street_1", "incomplete_address"),
        ({"city": None}, "/shipping_address/city", "null"),
        ({"country": "x" * 101}, "/shipping_address/country", "max_length"),
        ({"name": "a\0b"}, "/shipping_address/name", "null_characters_not_allowed"),
    ],
)
def test_invalid_address_field_is_pointed_at(as_alice, moka, changes, pointer, code):
    response = order(as_alice, (moka, 1), shipping_address=ADDRESS | changes)
    assert errors(response) == {pointer: code}
    assert read_stock(moka) == [4]


@pytest.mark.parametrize("address", [[], "at home", {}])
def test_invalid_address_is_rejected(as_alice, moka, address):
    assert order(as_alice, (moka, 1), shipping_address=address).status_code == 400


def test_client_cannot_set_read_only_fields(as_alice, bob, moka):
    placed = order(
        as_alice,
        (moka, 1),
        placed_by=bob.pk,
        status="delivered",
        total_price="0.01",
        currency="XXX",
        id=77,
    ).json()
    assert placed["placed_by"] != bob.pk
    assert placed["id"] != 77
    assert (placed["status"], placed["total_price"]) == ("placed", "34.90")
    assert placed["currency"] == "EUR"


def test_order_of_a_free_product_costs_nothing(as_alice):
    sample = factories.products.make(price="0.00")
    assert order(as_alice, (sample, 2)).json()["total_price"] == "0.00"


def test_number_of_queries_does_not_grow_with_the_items(as_alice):
    counts = []
    for products in (factories.products.make(_quantity=1), factories.products.make(_quantity=100)):
        with CaptureQueriesContext(connection) as queries:
            assert order(as_alice, *((product, 1) for product in products)).status_code == 201
        counts.append(len(queries))
    assert counts[0] == counts[1]


@contextmanager
def temporary_change(change, undo):
    """Change the database by the statement `change`, and undo it afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(change)
        try:
            yield
        finally:
            cursor.execute(undo)


def reject_order_items():
    """Make the database reject all order items, after stock was taken and the order written."""
    table = OrderItem._meta.db_table
    statements = {
        "postgresql": (
            f"ALTER TABLE {table} ADD CONSTRAINT refused CHECK (false) NOT VALID",
            f"ALTER TABLE {table} DROP CONSTRAINT refused",
        ),
        "sqlite": (
            f"CREATE TRIGGER refused BEFORE INSERT ON {table}"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END",
            "DROP TRIGGER refused",
        ),
    }
    return temporary_change(*statements[connection.vendor])


def test_failure_half_way_leaves_nothing_behind(transactional_db, as_alice, moka):
    with reject_order_items():
        assert order(as_alice, (moka, 1)).status_code == 409
        assert read_stock(moka) == [4]
        assert not Order.objects.exists()
    assert order(as_alice, (moka, 1)).status_code == 201


def test_items_are_returned_in_the_order_they_were_sent(as_alice, moka, cup):
    placed = order(as_alice, (cup, 1), (moka, 1)).json()
    assert [item["sku"] for item in placed["items"]] == ["CUP", "MOK"]
    assert as_alice.get(f"/api/orders/{placed['id']}/").json() == placed


@pytest.mark.parametrize("body", [{}, {"expected_total": "88.35"}])
def test_stock_is_taken_in_one_statement(as_alice, moka, cup, body):
    with CaptureQueriesContext(connection) as queries:
        assert order(as_alice, (moka, 2), (cup, 1), **body).status_code == 201
    assert len([query for query in queries if "products_product" in query["sql"]]) == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no locks of rows.")
def test_products_are_locked_in_the_order_of_their_ids(transactional_db, alice):
    """Even if one is short: otherwise two orders could deadlock."""
    first, short, last = factories.products.make(quantity_in_stock=1, _quantity=3)

    def place_short_order():
        try:
            with pytest.raises(OutOfStock):
                factories.place(alice, {last: 1, short: 5, first: 1})
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Product.objects.select_for_update().get(pk=short.pk)
            future = pool.submit(place_short_order)
            time.sleep(0.5)
            # It has locked the first, waits for the short one, and has not reached the last.
            unlocked = Product.objects.select_for_update(skip_locked=True)
            assert not unlocked.filter(pk=first.pk).exists()
            assert unlocked.filter(pk=last.pk).exists()
        future.result(timeout=10)
