"""The admin shows times in SHOP_TIME_ZONE; the API stays in UTC."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from customers.models import Customer
from customers.tokens import AccessToken
from orders.models import Order, OrderEvent
from products.models import Product, StockAdjustment
from tests import factories
from tests.changes.follower import wait_until_shown
from tests.forms import submit

WINTER = datetime(2025, 11, 26, 13, 5, tzinfo=UTC)
LATE = datetime(2025, 7, 14, 22, 30, tzinfo=UTC)  # the next day in Berlin


@pytest.fixture(autouse=True)
def shop_time_zone(settings):
    settings.SHOP_TIME_ZONE = "Europe/Berlin"


@pytest.fixture
def order(alice, clerk, product):
    """An order whose every time is WINTER."""
    order = factories.place(alice, {product: 1})
    order.confirm(by=clerk)
    AccessToken.issue(alice)
    set_times(WINTER)
    return order


def set_times(time):
    Order.objects.update(created=time, modified=time)
    OrderEvent.objects.update(at=time)
    Product.objects.update(created=time, modified=time)
    StockAdjustment.objects.update(created=time)
    Customer.objects.filter(username="alice").update(date_joined=time, last_login=time)
    AccessToken.objects.update(created=time)


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.fixture
def pages(order, alice, product):
    """Pages with times, and how many times WINTER is on each."""
    adjustment = product.adjustments.get()
    return {
        "orders/order/": 1,
        f"orders/order/{order.pk}/change/": 3,
        "products/product/": 1,
        f"products/product/{product.pk}/change/": 2,
        "products/stockadjustment/": 1,
        f"products/stockadjustment/{adjustment.pk}/change/": 1,
        f"customers/customer/{alice.pk}/change/": 2,
        "customers/accesstoken/": 2,
        f"customers/accesstoken/{alice.pk}/change/": 2,
    }


def test_times_are_shown_with_their_zone(pages, in_the_admin, settings):
    settings.TOKEN_TTL = timedelta(days=365)
    for page, count in pages.items():
        html = text_of(in_the_admin.get(f"/admin/{page}"))
        shown = html.count("26 Nov 2025, 14:05 CET") + html.count("26 Nov 2026, 14:05 CET")
        assert shown == count, page
        assert "13:05" not in html, page


def test_summer_time_is_named_too(pages, in_the_admin):
    set_times(LATE)
    for page in pages:
        assert "15 Jul 2025, 00:30 CEST" in text_of(in_the_admin.get(f"/admin/{page}")), page
    assert "15 Jul 2025" in text_of(in_the_admin.get("/admin/customers/customer/?q=alice"))


def test_default_is_utc(pages, in_the_admin, settings):
    settings.SHOP_TIME_ZONE = "UTC"
    for page in pages:
        assert "26 Nov 2025, 13:05 UTC" in text_of(in_the_admin.get(f"/admin/{page}")), page


def test_history_of_a_row_is_in_the_zone(order, in_the_admin, product):
    submit(in_the_admin, f"/admin/products/product/{product.pk}/change/", price="9.00")
    LogEntry.objects.update(action_time=WINTER)
    page = in_the_admin.get(f"/admin/products/product/{product.pk}/history/")
    assert "26 Nov 2025, 14:05 CET" in text_of(page)


def test_every_page_names_the_zone(in_the_admin, client):
    zone = "Times are those of Europe/Berlin."
    assert zone in text_of(in_the_admin.get("/admin/"))
    in_the_admin.logout()
    assert zone in text_of(client.get("/admin/login/"))


def test_calendar_of_the_browser_learns_the_zone_of_the_shop(in_the_admin):
    seconds = datetime.now(ZoneInfo("Europe/Berlin")).utcoffset().total_seconds()
    html = text_of(in_the_admin.get("/admin/products/product/add/"))
    assert f'data-admin-utc-offset="{seconds:.0f}"' in html


def ids(response):
    return {order.pk for order in response.context["cl"].result_list}


def place_at(customer, product, *times):
    """Place an order at each of these times; return their ids."""
    orders = [factories.place(customer, {product: 1}) for _ in times]
    for order, time in zip(orders, times, strict=True):
        Order.objects.filter(pk=order.pk).update(created=time)
    return [order.pk for order in orders]


@pytest.mark.parametrize("hour", [0, 23])
def test_today_begins_and_ends_at_midnight_in_the_zone(
    hour, in_the_admin, alice, product, settings
):
    """In the zone where the time is now within this hour of the day, an hour from its midnight."""
    offset = (hour - timezone.now().hour + 11) % 24 - 11  # -11 to 12
    settings.SHOP_TIME_ZONE = f"Etc/GMT{-offset:+}"
    second = timedelta(seconds=1)
    now = timezone.localtime(timezone.now(), ZoneInfo(settings.SHOP_TIME_ZONE))
    assert now.hour == hour
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = midnight, midnight + timedelta(days=1)
    times = (begin - second, begin, end - second, end)
    _, first, last, _ = place_at(alice, product, *times)
    page = in_the_admin.get("/admin/orders/order/")
    (today,) = re.findall(r'href="(\?created__gte[^"]*)"[^>]*>\s*Today', page.content.decode())
    today = today.replace("&amp;", "&")
    assert ids(in_the_admin.get(f"/admin/orders/order/{today}")) == {first, last}


@pytest.mark.parametrize(
    ("day", "begin", "hours"),
    [
        ((2025, 3, 30), datetime(2025, 3, 29, 23, tzinfo=UTC), 23),  # summer time begins
        ((2025, 10, 26), datetime(2025, 10, 25, 22, tzinfo=UTC), 25),  # summer time ends
        ((2025, 11, 26), datetime(2025, 11, 25, 23, tzinfo=UTC), 24),
    ],
)
def test_day_of_the_date_hierarchy_is_that_of_the_zone(
    day, begin, hours, in_the_admin, alice, product
):
    second, end = timedelta(seconds=1), begin + timedelta(hours=hours)
    _, first, last, _ = place_at(alice, product, begin - second, begin, end - second, end)
    query = dict(zip(("created__year", "created__month", "created__day"), day, strict=True))
    assert ids(in_the_admin.get("/admin/orders/order/", query)) == {first, last}
    month = {name: query[name] for name in ("created__year", "created__month")}
    html = text_of(in_the_admin.get("/admin/orders/order/", month))
    assert f"created__day={day[2]}&amp;" in html or f"created__day={day[2]}" in html


@pytest.mark.django_db(transaction=True)  # the feed shows what is committed
@pytest.mark.parametrize(
    "path", ["orders/", "orders/{order}/", "products/", "changes/?expand=true"]
)
def test_responses_of_the_api_are_the_same_in_every_zone(
    path, order, as_clerk, alice, api, settings
):
    client = as_clerk if "changes" in path else api.as_user(order.customer)
    path = f"/api/{path}".format(order=order.pk)
    wait_until_shown()
    in_berlin = client.get(path).content
    assert b"2025-11-26T13:05:00Z" in in_berlin
    settings.SHOP_TIME_ZONE = "UTC"
    assert client.get(path).content == in_berlin


def test_zone_of_the_admin_ends_with_its_page(order, in_the_admin, as_clerk):
    in_the_admin.get("/admin/orders/order/")
    assert timezone.get_current_timezone_name() == "UTC"
    export = in_the_admin.get(f"/admin/customers/customer/{order.customer_id}/export/")
    content = b"".join(export) if export.streaming else export.content
    assert b"2025-11-26T13:05:00Z" in content
    assert b"+01:00" not in content
