"""The time line of a product's stock, in the admin: `stock_ledger.list_balances`."""

import random
import re
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.models import Order, OrderEvent
from orders.stock_ledger import list_balances, list_movements
from products.models import StockAdjustment, StockOutOfBounds
from tests import factories


@pytest.fixture
def moka(db):
    return factories.products.make(name="Moka", sku="MOK", quantity_in_stock=10)


@pytest.fixture
def traded(moka, alice, clerk):
    """Ten came in, two orders took three and one; the first was cancelled, one broke."""
    orders = [factories.place(alice, {moka: n}) for n in (3, 1)]
    orders[0].cancel(by=alice, note="Changed my mind.")
    moka.adjust_stock(-1, reason="damaged", by=clerk, note="Fell.")
    return orders


def trade_at_random(seed, product, customer, clerk):
    """Do what changes the stock, 40 times; another product is in some of the orders."""
    draw, other = random.Random(seed), factories.products.make()
    orders = []
    for _ in range(40):
        if draw.random() < 0.5:
            quantities = {product: draw.randint(1, 3)} | ({other: 1} if draw.random() < 0.3 else {})
            orders.append(factories.place(customer, quantities))
        elif orders and draw.random() < 0.6:
            order = orders.pop(draw.randrange(len(orders)))
            if draw.random() < 0.6:
                order.cancel(by=clerk)
            else:
                order.confirm(by=clerk)
                order.ship(by=clerk)
                order.return_items({product.pk: 1}, damaged=draw.random() < 0.5, by=clerk)
        else:
            delta = draw.choice((-1, 1)) * draw.randint(1, 30)
            with suppress(StockOutOfBounds):
                product.adjust_stock(delta, reason="stocktake", by=clerk)
    product.refresh_from_db()


def read_pages(product, limit):
    """Return all movements, read page by page."""
    movements, start = list_balances(product, limit)
    while start:
        page, start = list_balances(product, limit, start)
        assert 0 < len(page) <= limit
        movements += page
    return movements


def happen_at_once():
    now = timezone.now()
    Order.objects.update(created=now)
    OrderEvent.objects.update(at=now)
    StockAdjustment.objects.update(created=now)


def without(rows, *keys):
    return [{key: value for key, value in row.items() if key not in keys} for row in rows]


def assert_adds_up(movements, product):
    assert movements[0]["balance"] == product.quantity_in_stock
    for newer, older in pairwise(movements):
        assert newer["balance"] - newer["delta"] == older["balance"]
    assert movements[-1]["balance"] == movements[-1]["delta"]


@pytest.mark.parametrize("seed", range(6))
def test_pages_have_the_whole_ledger_and_each_balance_is_exact(seed, alice, clerk):
    product = factories.products.make(quantity_in_stock=200)
    trade_at_random(seed, product, alice, clerk)
    movements = read_pages(product, limit=7)
    assert without(movements, "balance") == list(list_movements(product))
    assert_adds_up(movements, product)
    stock_afterwards = dict(product.adjustments.values_list("pk", "quantity_in_stock"))
    adjusted = {row["number"]: row["balance"] for row in movements if row["rank"] == 0}
    assert adjusted == stock_afterwards


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_what_happened_at_the_same_time_is_listed_once_and_in_its_order(traded, moka, limit):
    happen_at_once()
    moka.refresh_from_db()
    movements = read_pages(moka, limit)
    assert without(movements, "balance") == list(list_movements(moka))
    assert [row["reason"] for row in movements] == [
        *("cancelled", "sale", "sale", "damaged", "opening"),
    ]
    assert_adds_up(movements, moka)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_times_out_of_order_lose_no_movement(traded, moka, limit):
    """Clocks are put back, and rows are loaded by SQL."""
    first, second = traded
    Order.objects.filter(pk=first.pk).update(created=second.created + timedelta(days=1))
    movements = read_pages(moka, limit)
    assert len(movements) == len({(row["rank"], row["number"]) for row in movements}) == 5
    assert sum(row["delta"] for row in movements) == 8


def test_sale_between_two_pages_changes_nothing_on_the_second(traded, moka, alice):
    _, start = list_balances(moka, 2)
    before, _ = list_balances(moka, 2, start)
    factories.place(alice, {moka: 1})
    after, _ = list_balances(moka, 2, start)
    assert after == before


def test_product_that_nothing_moved_has_an_empty_time_line(in_the_admin, db):
    product = factories.products.make(quantity_in_stock=0)
    assert list_balances(product, 5) == ([], None)
    assert "Nothing moved the stock yet." in read(in_the_admin, product)


def read(browser, product, query=""):
    response = browser.get(f"/admin/products/product/{product.pk}/stock/{query}")
    assert response.status_code == 200
    return response.content.decode()


def rows_of(page):
    """Return the texts of the cells of each row."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = (re.findall("<td.*?</td>", row, re.DOTALL) for row in body.split("</tr>")[:-1])
    return [[re.sub("<.*?>", "", cell) for cell in row] for row in rows]


def test_page_says_what_who_and_why(in_the_admin, traded, moka):
    cancelled, placed = traded
    page = read(in_the_admin, moka)
    assert [row[1:] for row in rows_of(page)] == [
        ["Damaged", "-1", "8", "clerk", "Fell."],
        [f"Order cancelled of Order {cancelled.pk}", "+3", "9", "alice", "Changed my mind."],
        [f"Sale of Order {placed.pk}", "-1", "6", "alice", ""],
        [f"Sale of Order {cancelled.pk}", "-3", "7", "alice", ""],
        ["Opening", "+10", "10", "the shop", ""],
    ]
    assert f'<a href="/admin/orders/order/{placed.pk}/change/">' in page


def test_return_links_to_its_order(in_the_admin, traded, moka, clerk):
    _, order = traded
    order.confirm(by=clerk)
    order.ship(by=clerk)
    order.return_items({moka.pk: 1}, by=clerk, note="Too large.")
    ((_, label, *figures), *_) = rows_of(read(in_the_admin, moka))
    assert label == f"Returned of Order {order.pk}"
    assert figures == ["+1", "9", "clerk", "Too large."]


def test_notes_are_escaped(in_the_admin, moka, clerk):
    moka.adjust_stock(1, reason="delivery", by=clerk, note="<b>bold</b>")
    assert "&lt;b&gt;bold&lt;/b&gt;" in read(in_the_admin, moka)


def test_older_movements_are_on_further_pages(in_the_admin, moka, clerk):
    for _ in range(60):
        moka.adjust_stock(1, reason="delivery", by=clerk)
    first = read(in_the_admin, moka)
    (query,) = re.findall(r'href="(\?start=[^"]+)"', first)
    second = read(in_the_admin, moka, query)
    balances = [row[3] for row in rows_of(first) + rows_of(second)]
    assert balances == [str(balance) for balance in range(70, 9, -1)]
    assert "?start=" not in second


def test_link_is_refused_if_it_was_changed_or_is_of_another_product(in_the_admin, moka, clerk):
    other = factories.products.make()
    for _ in range(60):
        moka.adjust_stock(1, reason="delivery", by=clerk)
    (link,) = re.findall(r'href="(\?start=[^"]+)"', read(in_the_admin, moka))
    for pk, query in ((other.pk, link), (moka.pk, f"{link}x"), (moka.pk, "?start=1")):
        response = in_the_admin.get(f"/admin/products/product/{pk}/stock/{query}")
        assert response.status_code == 400


def test_unknown_product_is_not_found(in_the_admin):
    for pk in (987654321, "9" * 20):
        response = in_the_admin.get(f"/admin/products/product/{pk}/stock/")
        assert response.status_code in (400, 404)


def test_products_page_shows_the_last_movements(in_the_admin, traded, moka):
    page = in_the_admin.get(f"/admin/products/product/{moka.pk}/change/").content.decode()
    assert "What moved the stock" in page
    assert len(rows_of(page.partition("What moved the stock")[2])) == 5
    assert f'href="/admin/products/product/{moka.pk}/stock/"' in page


@pytest.fixture
def log_in_with(client, clerk):
    def log_in(*codenames):
        clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(clerk)
        return client

    return log_in


def test_orders_stay_hidden_from_users_who_may_not_view_them(log_in_with, traded, moka):
    browser = log_in_with("view_product", "view_stockadjustment")
    page = read(browser, moka)
    assert "Order cancelled" in page
    for secret in ("alice", "Changed my mind.", "/admin/orders/"):
        assert secret not in page


def test_time_line_takes_the_permissions_of_product_and_adjustments(log_in_with, traded, moka):
    path = f"/admin/products/product/{moka.pk}"
    assert log_in_with("view_stockadjustment").get(f"{path}/stock/").status_code == 403
    browser = log_in_with("view_product")
    assert browser.get(f"{path}/stock/").status_code == 403
    page = browser.get(f"{path}/change/")
    assert page.status_code == 200
    assert "What moved the stock" not in page.content.decode()


def test_number_of_queries_does_not_grow_with_the_movements(in_the_admin, moka, alice):
    def count():
        with CaptureQueriesContext(connection) as queries:
            read(in_the_admin, moka)
        return len(queries)

    factories.place(alice, {moka: 1})
    few = count()
    for _ in range(8):
        factories.place(alice, {moka: 1}).cancel(by=alice)
    assert count() == few


def test_stock_history_of_the_api_has_one_order_at_equal_times(as_clerk, traded, moka):
    happen_at_once()
    rows = as_clerk.get(f"/api/products/{moka.pk}/stock-history/").json()["results"]
    orders = [row["order"] for row in rows if row["reason"] == "sale"]
    assert orders == sorted(orders, reverse=True)
    assert rows[-1]["reason"] == "opening"
