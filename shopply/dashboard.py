"""The first page of the admin: what waits, what runs short, and what was sold."""

from functools import lru_cache

from django.conf import settings
from django.utils import timezone
from django.utils.http import urlencode

from orders import sales
from orders.models import Order
from orders.transitions import Status
from products.managers import LOW_STOCK
from products.models import Product
from shopply.api.money import currency_places

CHART_DAYS = 30
BEST_SELLERS = 10
MONEY = f"{currency_places()}g"  # the argument of `floatformat`
COUNT_LIMIT = 1_000  # of products: no index has the stock, since each sale would write to it


def get_context(request, site):
    """Return what the page shows beside Django's list of apps: what the user may view."""
    context = {}
    if site.get_model_admin(Product).has_view_permission(request):
        context["stock"] = count_short_products()
    if site.get_model_admin(Order).has_view_permission(request):
        minute = timezone.now().replace(second=0, microsecond=0)
        days, best_sellers = get_statistics(minute)
        context |= {
            "waiting": list_waiting(),
            "periods": list_periods(),
            "days": [(day, get_query(day)) for day in reversed(days)],
            "best_sellers": find_products(best_sellers),
            "as_of": minute,
            "currency": settings.SHOP_CURRENCY,
            "money": MONEY,
        }
        if any(day.orders for day in days):
            context["charts"] = [
                draw(days, "revenue", settings.SHOP_CURRENCY, MONEY),
                draw(days, "units", "pieces", "0g"),
            ]
    return context


@lru_cache(maxsize=1)
def get_statistics(minute):
    """Return the Sales of CHART_DAYS, and the best sellers as `(product id, units)`.

    Once a minute in each process: with two million orders a year, it takes half a second.
    """
    days = sales.list_days(CHART_DAYS)
    sales.count_units(days)
    return days, sales.list_best_sellers(days, BEST_SELLERS)


def draw(days, name, unit, number_format):
    """Return what the template of a chart needs to draw these figures of the days."""
    values = [getattr(day, name) for day in days]
    return {
        "name": name,
        "unit": unit,
        "format": number_format,
        "bars": list(zip(days, values, strict=True)),
        "most": max(values),
        "sum": sum(values),
    }


def list_waiting():
    """Return `(title, status, number of orders, the oldest Order or None)` of each job."""
    titles = {Status.PLACED: "To confirm", Status.CONFIRMED: "To pack and ship"}
    waiting = sales.get_waiting(*titles)
    return [(title, status.value, *waiting[status]) for status, title in titles.items()]


def list_periods():
    """Return `(title, Sales, query of the list of orders)` of today, yesterday and this week."""
    weekday = timezone.localdate().weekday()
    days = sales.list_days(max(2, weekday + 1))
    periods = {
        "Today": days[-1],
        "Yesterday": days[-2],
        "This week": sales.sum_up(days[-1 - weekday :]),
    }
    return [(title, period, get_query(period)) for title, period in periods.items()]


def count_short_products():
    """Return `(title, query of the list of products, number, is_limited)` of those for sale."""
    products = Product.objects.for_sale().order_by()
    rows = []
    for title, stock, short in (
        ("Sold out", "none", products.sold_out()),
        (f"1 to {LOW_STOCK} left", "few", products.running_low()),
    ):
        number = short[:COUNT_LIMIT].count()
        query = urlencode({"is_active__exact": 1, "stock": stock})
        rows.append((title, query, number, number == COUNT_LIMIT))
    return rows


def find_products(best_sellers):
    products = Product.objects.in_bulk([pk for pk, _ in best_sellers])
    return [(products[pk], units) for pk, units in best_sellers if pk in products]


def get_query(period):
    """Return the query of the list of orders for a period, in the form of Django's own filters."""
    return urlencode({"created__gte": period.start, "created__lt": period.stop})
