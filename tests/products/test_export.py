"""Products exported from the admin's list."""

import csv
import io

import pytest

from tests import factories

PATH = "/admin/products/product/export/"


def export(browser, query=""):
    response = browser.post(f"{PATH}{query}", {"resource": 0, "format": 0})
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_products_are_exported_as_they_are(in_the_admin):
    product = factories.products.make(
        name="Käse, 1 kg",
        description="Two\nlines",
        price="9.90",
        sku=None,
        gtin="0036000291452",
        low_stock_at=12,
        is_active=False,
    )
    (row,) = export(in_the_admin)
    assert list(row) == [
        *("id", "sku", "gtin", "name", "description", "price", "currency", "quantity_in_stock"),
        *("low_stock_at", "is_active", "categories", "created", "modified", "revision"),
    ]
    assert row == {
        "id": str(product.pk),
        "sku": "",
        "gtin": "0036000291452",
        "name": "Käse, 1 kg",
        "description": "Two\nlines",
        "price": "9.90",
        "currency": "EUR",
        "quantity_in_stock": "100",
        "low_stock_at": "12",
        "is_active": "0",
        "categories": "",
        "created": f"{product.created:%Y-%m-%dT%H:%M:%SZ}",
        "modified": f"{product.modified:%Y-%m-%dT%H:%M:%SZ}",
        "revision": "1",
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=cup", ["Cup"]),
        ("?stock=none", ["Cup"]),
        ("?is_active__exact=0", []),
        ("?o=-1", ["Pot", "Cup"]),
    ],
)
def test_export_has_what_the_list_shows(in_the_admin, query, names):
    factories.products.make(name="Pot")
    factories.products.make(name="Cup", quantity_in_stock=0)
    assert [row["name"] for row in export(in_the_admin, query)] == names


def test_product_that_is_added_meanwhile_is_not_there_twice(in_the_admin, monkeypatch):
    factories.products.make(_quantity=5)
    monkeypatch.setattr("shopply.api.sheet_admin.BATCH_SIZE", 2)
    assert len({row["id"] for row in export(in_the_admin)}) == 5
