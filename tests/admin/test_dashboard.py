"""The first page of the admin: what waits, what runs short, and what was sold."""

import re
from datetime import timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import sales
from orders.models import Order
from shopply import dashboard
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_units():
    """Forget those of another test's shop."""
    sales.count_units.cache_clear()


def read(browser):
    return browser.get("/admin/").content.decode()


def tiles(page):
    """Return `{title: text}` of the tiles."""
    rows = re.findall(r"<li>\s*<h2>(.+?)</h2>(.+?)</li>", page, re.DOTALL)
    return {title: " ".join(re.sub("<.+?>", " ", text).split()) for title, text in rows}


def place(customer, product, quantity=1, ago=timedelta(0), now=None):
    order = factories.place(customer, {product: quantity})
    Order.objects.filter(pk=order.pk).update(created=(now or timezone.now()) - ago)
    return order


def test_orders_that_wait_are_counted_with_the_oldest(in_the_admin, alice, clerk, product):
    oldest = place(alice, product, ago=timedelta(days=3))
    place(alice, product)
    place(alice, product, ago=timedelta(hours=2)).confirm(by=clerk)
    place(alice, product).cancel(by=clerk)
    page = read(in_the_admin)
    assert tiles(page)["To confirm"] == f"2 Oldest: {oldest} , waiting for 3 days"
    assert tiles(page)["To pack and ship"].endswith("waiting for 2 hours")
    assert f'href="/admin/orders/order/{oldest.pk}/change/"' in page


def test_products_that_run_short_are_counted_if_they_are_for_sale(in_the_admin):
    for stock in (0, 0, 1, 5, 6):
        factories.products.make(quantity_in_stock=stock)
        factories.products.make(quantity_in_stock=stock, is_active=False)
    page = read(in_the_admin)
    assert tiles(page)["Sold out"].startswith("2 ")
    assert tiles(page)["Running low"].startswith("2 ")


def test_number_of_short_products_is_limited(in_the_admin, monkeypatch):
    monkeypatch.setattr(dashboard, "COUNT_LIMIT", 2)
    for _ in range(3):
        factories.products.make(quantity_in_stock=0)
    assert tiles(read(in_the_admin))["Sold out"].startswith("2+ ")


def test_each_number_links_to_its_list(in_the_admin, alice, clerk, product):
    factories.products.make(quantity_in_stock=0)
    factories.products.make(quantity_in_stock=3)
    place(alice, product).confirm(by=clerk)
    place(alice, product).cancel(by=clerk)
    place(alice, product)
    page = read(in_the_admin)
    paths = re.findall(r'href="(/admin/\w+/\w+/\?[^"]+)"', page)
    assert len(paths) == 2 + 2 + 3 + dashboard.CHART_DAYS
    counts = []
    for path in paths[:7]:
        response = in_the_admin.get(unescape(path))
        assert response.status_code == 200
        counts.append(response.context["cl"].result_count)
    assert counts == [1, 1, 1, 1, 3, 0, 3]  # with the cancelled one, of which the tile speaks
    assert tiles(page)["Today"].endswith("2 orders , and 1 cancelled")


def test_number_of_today_links_to_the_filter_today(in_the_admin, alice, product):
    place(alice, product)
    (path,) = re.findall(r'href="([^"]+)">1 order</a>', tiles_of_sales(read(in_the_admin)))[:1]
    changelist = in_the_admin.get(unescape(path)).context["cl"]
    choices = [choice for spec in changelist.filter_specs for choice in spec.choices(changelist)]
    assert "Today" in [choice["display"] for choice in choices if choice["selected"]]


def tiles_of_sales(page):
    return page[page.index("<h2>Today") : page.index("<h2>Yesterday")]


def test_revenue_is_of_orders_that_were_not_cancelled(in_the_admin, alice, product):
    place(alice, product, 2)
    place(alice, product, 5).cancel(by=alice)
    place(alice, product, 3, ago=timedelta(days=1))
    page = read(in_the_admin)
    assert tiles(page)["Today"] == "25.00 EUR 1 order , and 1 cancelled"
    assert tiles(page)["Yesterday"] == "37.50 EUR 1 order"


def test_week_begins_on_monday(in_the_admin, alice, product):
    weekday = timezone.localdate().weekday()
    for ago in range(weekday + 3):
        place(alice, product, ago=timedelta(days=ago))
    assert f"{weekday + 1} order" in tiles(read(in_the_admin))["This week"]


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York", "UTC"])
def test_days_begin_at_midnight_in_the_time_zone_of_the_shop(settings, alice, product, zone):
    settings.TIME_ZONE = zone
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    for ago in (timedelta(0), timedelta(microseconds=1), timedelta(hours=20)):
        place(alice, product, ago=ago, now=midnight)
    yesterday, today = sales.list_days(2)
    assert (yesterday.orders, today.orders) == (2, 1)
    assert (sales.count_units(yesterday), sales.count_units(today)) == (2, 1)
    assert today.start == midnight


def test_days_follow_each_other_when_the_clocks_change(settings, db):
    settings.TIME_ZONE = "Europe/Berlin"
    days = sales.list_days(400)
    for day, following in zip(days, days[1:], strict=False):
        assert day.stop == following.start
        assert timezone.localtime(day.start).hour == 0
    utc = ZoneInfo("UTC")
    hours = {(day.stop.astimezone(utc) - day.start.astimezone(utc)).seconds for day in days}
    assert hours == {0, 23 * 3600, 3600}  # of 24, 23 and 25 hours


def charts(page):
    return re.findall("<svg viewBox.+?</svg>", page, re.DOTALL)


def test_charts_have_a_bar_for_each_day(in_the_admin, alice, product):
    place(alice, product, 4)
    place(alice, product, 2, ago=timedelta(days=29))
    place(alice, product, 9, ago=timedelta(days=31))
    page = read(in_the_admin)
    for chart in charts(page):
        bars = [int(height) for height in re.findall('height="([0-9]+)" class="bar"', chart)]
        assert bars == [500, *[0] * 28, 1000]
        (names,) = re.findall('role="img" aria-labelledby="(.+?)"', chart)
        assert names.split() == re.findall('id="(.+?)"', chart)  # of title and description
    assert "<strong>Revenue</strong> 75.00 EUR, at most 50.00 a day" in page
    assert "<strong>Units</strong> 6 pieces, at most 4 a day" in page


def test_table_has_the_figures_of_the_charts(in_the_admin, alice, product):
    place(alice, product, 4)
    place(alice, product).cancel(by=alice)
    page = read(in_the_admin)
    days = page[page.index("<details>") : page.index("</details>")]
    today = days.split("</tr>")[1]
    assert re.findall("<td>(.*?)</td>", today) == ["1", "1", "4", "50.00"]
    assert days.count("<tr>") == 1 + dashboard.CHART_DAYS


def test_best_sellers_are_listed_by_pieces(in_the_admin, alice):
    products = [factories.products.make(quantity_in_stock=5) for _ in range(3)]
    for product, quantity in zip(products, (1, 5, 3), strict=True):
        place(alice, product, quantity)
    place(alice, factories.products.make(), 9).cancel(by=alice)
    place(alice, factories.products.make(), 9, ago=timedelta(days=31))
    best = read(in_the_admin).partition("Best sellers of")[2]
    links = re.findall(r'/admin/products/product/(\d+)/change/">', best)
    assert links == [str(products[index].pk) for index in (1, 2, 0)]
    assert re.findall("<td>(.+?)</td>", best)[:2] == [
        "5",
        '<strong class="sold-out">Sold out</strong>',
    ]


def test_empty_shop_has_zeros_and_no_charts(in_the_admin):
    page = read(in_the_admin)
    assert tiles(page)["To confirm"] == "0 Nothing is waiting."
    assert tiles(page)["Today"] == "0.00 EUR 0 orders"
    assert "Nothing was ordered." in page
    assert not charts(page)


@pytest.mark.parametrize("revenue", ["25.00 EUR", "25.000 KWD"])
def test_money_has_the_places_of_the_currency(settings, in_the_admin, alice, product, revenue):
    settings.SHOP_CURRENCY = revenue[-3:]
    place(alice, product, 2)
    assert tiles(read(in_the_admin))["Today"] == f"{revenue} 1 order"


@pytest.fixture
def page_for(client, clerk, alice, product):
    """Return the page of a clerk with these permissions only, in a shop with an order."""
    place(alice, product)

    def read_page(*codenames):
        clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(clerk)
        return read(client)

    return read_page


def test_staff_without_permissions_see_no_figures(page_for):
    page = page_for()
    assert 'id="day"' not in page
    assert not tiles(page)


def test_staff_who_may_view_orders_see_no_stock(page_for, product):
    page = page_for("view_order")
    assert set(tiles(page)) == {"To confirm", "To pack and ship", "Today", "Yesterday", "This week"}
    assert product.name in page
    assert "/admin/products/" not in page
    assert "In stock" not in page


def test_staff_who_may_view_products_see_no_sales(page_for):
    page = page_for("view_product")
    assert set(tiles(page)) == {"Sold out", "Running low"}
    assert "/admin/orders/" not in page


def test_apps_and_recent_actions_are_below(in_the_admin):
    page = read(in_the_admin)
    assert page.index('id="day"') < page.index('id="content-main"') < page.index("Recent actions")


def test_number_of_queries_does_not_grow_with_the_orders(in_the_admin, alice, clerk):
    counts = []
    for _ in range(2):
        for ago in range(4):
            place(alice, factories.products.make(), ago=timedelta(days=ago))
            place(alice, factories.products.make(), ago=timedelta(days=ago)).confirm(by=clerk)
        sales.count_units.cache_clear()
        with CaptureQueriesContext(connection) as queries:
            read(in_the_admin)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_units_of_a_day_are_counted_again_if_an_order_is_placed_or_cancelled(alice, product):
    def count():
        return sales.count_units(sales.list_days(1)[0])

    order = place(alice, product, 3)
    assert count() == 3
    place(alice, product, 2)
    assert count() == 5
    order.cancel(by=alice)
    assert count() == 2


def test_units_of_a_day_without_changes_are_read_once(in_the_admin, alice, product):
    place(alice, product)
    lengths = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            read(in_the_admin)
        lengths.append(len(queries))
    assert lengths[0] - lengths[1] == dashboard.CHART_DAYS


def test_best_sellers_of_a_busy_shop_are_of_fewer_days(in_the_admin, alice, monkeypatch):
    monkeypatch.setattr(dashboard, "BEST_SELLERS_ORDERS", 3)
    products = [factories.products.make() for _ in range(3)]
    for ago, product in enumerate(products):
        for _ in range(2):
            place(alice, product, ago=timedelta(days=ago))
    title, _, best = read(in_the_admin).partition("Best sellers of the last day<")
    assert str(products[0]) in best
    assert str(products[1]) not in best


def test_page_has_no_inline_styles_and_scripts(in_the_admin, alice, product):
    place(alice, product)
    page = read(in_the_admin)
    day = page[page.index('id="day"') : page.index('id="content-main"')]
    assert " style=" not in day
    assert "<script" not in day
    assert " on" not in " ".join(re.findall("<(.+?)>", day))
