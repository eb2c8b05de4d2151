"""Products at their `low_stock_at`, or the shop's LOW_STOCK_AT, are low: seen by staff only."""

import pytest
from django.db import connection

from products.managers import STOCK_BANDS
from products.models import Product
from tests import factories


def make(stock, low_stock_at=None, **fields):
    return factories.products.make(quantity_in_stock=stock, low_stock_at=low_stock_at, **fields)


def low_pks():
    return {*Product.objects.low().values_list("pk", flat=True)}


@pytest.mark.parametrize("default", [0, 5, 6, 100, 1000])
def test_stock_is_low_at_its_own_limit_or_at_the_default(db, settings, default):
    settings.LOW_STOCK_AT = default
    limits = [None, 0, 3, 7, 2000]
    products = [
        make(stock, limit)
        for stock in {0, 1, *(limit + more for limit in (*STOCK_BANDS, 2000) for more in (0, 1))}
        for limit in limits
    ]
    assert low_pks() == {
        product.pk
        for product in products
        if product.quantity_in_stock
        <= (default if product.low_stock_at is None else product.low_stock_at)
    }


def test_staff_list_what_is_low_for_sale(as_clerk):
    low = [make(5), make(0), make(12, 12)]
    for stock, limit in ((6, None), (13, 12), (1, 0)):
        make(stock, limit)
    make(0, is_active=False)
    results = as_clerk.get("/api/products/?low=true&items_per_page=100").json()["results"]
    assert [product["id"] for product in results] == [product.pk for product in low]
    assert as_clerk.get("/api/products/?low=false").status_code == 400


def test_others_cannot_filter_by_low(api, as_alice, as_clerk, settings):
    assert api.get("/api/products/?low=true").status_code == 401
    assert as_alice.get("/api/products/?low=true").status_code == 403
    settings.STAFF_API_PERMISSIONS = True
    assert as_clerk.get("/api/products/?low=true").status_code == 403


def test_only_staff_see_the_limit(api, as_alice, as_clerk):
    product = make(5)
    path = f"/api/products/{product.pk}/"
    assert as_clerk.patch(path, {"low_stock_at": 12}).json()["low_stock_at"] == 12
    for client, sees in ((as_clerk, True), (as_alice, False), (api, False)):
        assert ("low_stock_at" in client.get(path).json()) == sees
        (listed,) = client.get("/api/products/").json()["results"]
        assert ("low_stock_at" in listed) == sees


@pytest.mark.parametrize("limit", [-1, 10**9 + 1, "5", 1.5])
def test_limit_that_is_no_stock_is_refused(as_clerk, product, limit):
    response = as_clerk.patch(f"/api/products/{product.pk}/", {"low_stock_at": limit})
    assert response.status_code == 400


def test_sale_writes_to_the_index_only_when_the_band_changes(alice, product):
    bands = []
    for _ in range(3):
        factories.place(alice, {product: 25})
        product.refresh_from_db()
        bands.append((product.quantity_in_stock, product.stock_band))
    assert bands == [(75, 100), (50, 50), (25, 50)]


def test_admin_counts_and_lists_what_runs_low(in_the_admin):
    names = {"low": make(12, 12).name, "none": make(0).name, "enough": make(6).name}
    page = in_the_admin.get("/admin/")
    assert [row[::2] for row in page.context["stock"]] == [("Sold out", 1), ("Running low", 1)]
    for stock, name in (("few", "low"), ("none", "none"), ("some", "enough")):
        page = in_the_admin.get(f"/admin/products/product/?stock={stock}")
        assert [product.name for product in page.context["cl"].result_list] == [names[name]]


def test_plan_reads_the_index(db):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "product_by_stock_band" in Product.objects.low().order_by().explain()
