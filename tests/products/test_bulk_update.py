"""`PATCH /api/products/`: up to 500 products at once, all or none."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.stock_ledger import find_discrepancies
from products.bulk import BulkUpdate
from products.models import MAX_STOCK, Product, StockAdjustment
from tests import factories
from tests.products.test_gtin import EAN_8, EAN_13

PATH = "/api/products/"
KEY = {"Idempotency-Key": "till-1"}


@pytest.fixture
def pair(db):
    return [factories.products.make(sku=sku) for sku in ("a-1", "B-2")]


def errors(response):
    """Return `{pointer: code}`."""
    return {entry.get("pointer"): entry["code"] for entry in response.json()["errors"]}


def test_products_are_changed_by_id_or_sku_and_returned_in_order(as_clerk, clerk, pair):
    first, second = pair
    response = as_clerk.patch(
        PATH,
        [
            {"sku": "b-2", "price": "9.00", "quantity_in_stock": 40},
            {"id": first.pk, "sku": "A-9", "name": "Moka", "gtin": EAN_13, "is_active": False},
        ],
    )
    assert response.status_code == 200
    assert response.json() == [as_clerk.get(f"{PATH}{pk}/").json() for pk in (second.pk, first.pk)]
    assert [row["sku"] for row in response.json()] == ["B-2", "A-9"]
    assert response.json()[0]["price"] == "9.00"
    assert not find_discrepancies().exists()
    stocktake = second.adjustments.first()
    assert (stocktake.delta, stocktake.reason, stocktake.actor) == (-60, "stocktake", clerk)
    first.refresh_from_db()
    assert (first.revision, first.search_text) == (2, "moka\na-9\n")


def test_one_wrong_row_changes_nothing_and_each_error_names_its_row(as_clerk, pair):
    first, second = pair
    response = as_clerk.patch(
        PATH,
        [
            {"id": first.pk, "price": "9.00"},
            {"sku": "b-2", "price": "x", "colour": "red"},
            {"sku": "none", "price": "9.00"},
            {"id": 10**17},
            {"id": first.pk, "name": "Again"},
            {"price": "9.00"},
            {"id": "1"},
            [],
            {"sku": "\0"},
        ],
    )
    assert response.status_code == 400
    assert errors(response) == {
        "/1/price": "invalid",
        "/1/colour": "unknown_field",
        "/2/sku": "does_not_exist",
        "/3/id": "does_not_exist",
        "/4/id": "duplicate",
        "/5/id": "required",
        "/6/id": "invalid",
        "/7": "invalid",
        "/8/sku": "null_characters_not_allowed",
    }
    first.refresh_from_db()
    assert (first.price, first.revision) == (12.5, 1)


@pytest.mark.parametrize("body", [[], {}, {"products": []}, "x", 1, [{"id": 1}] * 501])
def test_body_that_is_no_list_of_up_to_500_is_refused(as_clerk, body):
    response = as_clerk.patch(PATH, body)
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")


def test_values_of_other_products_or_rows_are_refused(as_clerk, pair):
    first, second = pair
    factories.products.make(gtin=f"00000{EAN_8}")
    rows = [{"id": first.pk, "sku": "b-2", "gtin": EAN_8}, {"id": second.pk, "gtin": EAN_13}]
    assert errors(as_clerk.patch(PATH, rows)) == {"/0/sku": "unique", "/0/gtin": "unique"}
    rows = [{"id": first.pk, "gtin": EAN_13}, {"id": second.pk, "gtin": f"0{EAN_13}"}]
    assert errors(as_clerk.patch(PATH, rows)) == {"/1/gtin": "unique"}
    rows = [{"id": first.pk, "sku": "A-1"}, {"id": second.pk, "sku": "B-2"}]
    assert as_clerk.patch(PATH, rows).status_code == 200  # their own


def test_rows_that_were_read_can_be_sent_back(as_clerk, pair):
    rows = as_clerk.get(PATH).json()["results"]
    response = as_clerk.patch(PATH, rows)
    assert response.status_code == 200
    changing = {"modified": None}
    assert [row | changing for row in response.json()] == [row | changing for row in rows]


def test_count_beyond_the_limit_changes_nothing(as_clerk, pair):
    first, second = pair
    rows = [{"id": first.pk, "price": "9"}, {"id": second.pk, "quantity_in_stock": MAX_STOCK + 1}]
    response = as_clerk.patch(PATH, rows)
    assert response.status_code == 409
    assert errors(response) == {"/1/quantity_in_stock": "stock_out_of_bounds"}
    assert not Product.objects.filter(price=9).exists()


def test_second_request_with_the_key_gets_the_first_response(as_clerk, alice, pair):
    first, second = pair
    rows = [{"id": second.pk, "quantity_in_stock": 40, "sku": "C-3"}, {"sku": "a-1", "price": "9"}]
    response = as_clerk.patch(PATH, rows, headers=KEY)
    factories.place(alice, {first: 1, second: 1})
    as_clerk.patch(f"{PATH}{first.pk}/", {"sku": "D-4"})  # which the second request would not find
    replay = as_clerk.patch(PATH, rows, headers=KEY)
    assert (response.status_code, replay.status_code) == (200, 200)
    assert replay["Idempotent-Replayed"] == "true"
    assert replay.json() == response.json()
    assert StockAdjustment.objects.filter(reason="stocktake").count() == 1


def test_key_with_another_body_is_refused(as_clerk, pair):
    rows = [{"sku": "a-1", "price": "9"}]
    as_clerk.patch(PATH, rows, headers=KEY)
    for body in ([{"sku": "a-1", "price": "8"}], [{"sku": "none"}]):
        assert as_clerk.patch(PATH, body, headers=KEY).status_code == 422


def test_failed_request_frees_its_key(as_clerk, pair):
    rows = [{"sku": "a-1", "quantity_in_stock": MAX_STOCK + 1}]
    assert as_clerk.patch(PATH, rows, headers=KEY).status_code == 409
    assert not BulkUpdate.objects.exists()
    rows = [{"sku": "a-1", "quantity_in_stock": 1}]
    assert as_clerk.patch(PATH, rows, headers=KEY).status_code == 200


def test_old_keys_are_removed_by_the_next(as_clerk, clerk, pair):
    old = timezone.now() - timedelta(days=8)
    for key in ("old-1", "old-2"):
        BulkUpdate.objects.create(actor=clerk, idempotency_key=key, created=old)
    as_clerk.patch(PATH, [{"sku": "a-1"}], headers=KEY)
    assert [bulk.idempotency_key for bulk in BulkUpdate.objects.all()] == ["till-1"]


def test_if_match_is_refused(as_clerk, pair):
    response = as_clerk.patch(PATH, [{"sku": "a-1"}], headers={"If-Match": "*"})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "not_supported")


def test_permissions_are_those_of_a_single_patch(api, as_alice, as_clerk, clerk, pair, settings):
    rows = [{"sku": "a-1", "price": "9"}]
    assert api.patch(PATH, rows).status_code == 401
    assert as_alice.patch(PATH, rows).status_code == 403
    settings.STAFF_API_PERMISSIONS = True
    clerk.user_permissions.add(Permission.objects.get(codename="change_product"))
    assert as_clerk.patch(PATH, rows).status_code == 200
    assert as_clerk.patch(PATH, [{"sku": "a-1", "quantity_in_stock": 1}]).status_code == 403


def test_500_rows_of_sku_price_and_stock_fit_and_cost_no_more_queries(as_clerk, settings):
    products = factories.products.make(_quantity=500, sku=None)
    for product in products:
        product.sku = f"{product.pk:040}"
    Product.objects.bulk_update(products, ["sku"])
    rows = [
        {"sku": product.sku, "price": "1234567.89", "quantity_in_stock": 123456}
        for product in products
    ]
    assert len(json.dumps(rows)) < settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    counts = []
    for number in (1, 70, 500):
        with CaptureQueriesContext(connection) as queries:
            assert as_clerk.patch(PATH, rows[:number]).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    if connection.vendor == "postgresql":  # SQLite takes a limited number of values a statement
        assert counts[1] == counts[2]
