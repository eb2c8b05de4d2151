import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import stock_ledger
from products.models import Product
from tests import factories


@pytest.fixture
def moka(db):
    return factories.products.make(name="Moka", sku="MOK", quantity_in_stock=10)


@pytest.fixture
def traded(moka, alice, clerk):
    """Ten pieces came in, two orders took three and one, the first was cancelled, one broke."""
    orders = [factories.place(alice, {moka: n}) for n in (3, 1)]
    orders[0].cancel(by=alice, note="Changed my mind.")
    moka.adjust_stock(-1, reason="damaged", by=clerk, note="Fell.")
    return orders


def verify():
    call_command("verify_stock")


def test_ledger_balances_after_trade(traded, capsys):
    verify()
    assert "adds up" in capsys.readouterr().out


def test_demo_shop_balances(demo_shop):
    verify()


@pytest.mark.parametrize("stock", [7, 9])
def test_corrupted_stock_is_reported(traded, moka, capsys, stock):
    Product.objects.filter(pk=moka.pk).update(quantity_in_stock=stock)
    with pytest.raises(CommandError, match="1 product"):
        verify()
    assert f"Moka (MOK): {stock} in stock, but 9 adjusted - 1 sold = 8" in capsys.readouterr().out


def test_lost_adjustment_is_reported(traded, moka):
    moka.adjustments.filter(reason="damaged").delete()
    with pytest.raises(CommandError):
        verify()


def test_lost_sale_is_reported(traded):
    traded[1].items.all().delete()
    with pytest.raises(CommandError):
        verify()


def test_status_changed_without_a_transition_is_reported(traded):
    type(traded[1]).objects.filter(pk=traded[1].pk).update(status="cancelled")
    with pytest.raises(CommandError):
        verify()


def test_number_of_queries_does_not_grow_with_the_products(alice):
    counts = []
    for n in (1, 20):
        for _ in range(n):
            factories.place(alice, {factories.products.make(): 1})
        with CaptureQueriesContext(connection) as queries:
            verify()
        counts.append(len(queries))
    assert counts == [1, 1]


def history(client, product, query="items_per_page=100"):
    return client.get(f"/api/products/{product.pk}/stock-history/?{query}").json()


def test_history_lists_adjustments_and_sales_in_one_timeline(as_clerk, traded, moka, alice, clerk):
    rows = history(as_clerk, moka)["results"]
    cancelled, placed = (order.pk for order in traded)
    assert [
        (row["reason"], row["delta"], row["order"], row["by"], row["note"]) for row in rows
    ] == [
        ("damaged", -1, None, clerk.pk, "Fell."),
        ("cancelled", 3, cancelled, alice.pk, "Changed my mind."),
        ("sale", -1, placed, alice.pk, ""),
        ("sale", -3, cancelled, alice.pk, ""),
        ("opening", 10, None, None, ""),
    ]
    assert sum(row["delta"] for row in rows) == 8
    assert all(row["at"].endswith("Z") for row in rows)


def test_history_comes_in_pages(as_clerk, traded, moka):
    first = history(as_clerk, moka, "items_per_page=3")
    assert (first["count"], len(first["results"])) == (5, 3)
    assert len(as_clerk.get(first["next"]).json()["results"]) == 2


def test_history_has_only_the_products_own_rows(as_clerk, traded):
    other = factories.products.make(quantity_in_stock=2)
    assert [row["delta"] for row in history(as_clerk, other)["results"]] == [2]


def test_history_of_an_unknown_product_returns_404(as_clerk):
    assert as_clerk.get("/api/products/987654321/stock-history/").status_code == 404


def test_unbalanced_products_come_with_their_sums(traded, moka):
    Product.objects.filter(pk=moka.pk).update(quantity_in_stock=2)
    (product,) = stock_ledger.find_discrepancies()
    assert (product.pk, product.adjusted, product.sold) == (moka.pk, 9, 1)
