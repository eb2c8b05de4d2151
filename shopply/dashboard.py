"""The first page of the admin: what waits, what runs short, and what was sold."""

from django.conf import settings
from django.utils import timezone
from django.utils.http import urlencode

from orders import sales
from orders.models import Order
from orders.transitions import Status
from products.models import Product
from shopply.api.money import currency_places

CHART_DAYS = 30
BEST_SELLERS = 10
BEST_SELLERS_ORDERS = 20_000  # of this many orders at most: reading more takes too long
COUNT_LIMIT = 1_000  # of products


def get_context(request, site):
    """Return what the page shows beside Django's list of apps: what the user may view."""
    context = {}
    if site.get_model_admin(Product).has_view_permission(request):
        context["stock"] = count_short_products()
    if site.get_model_admin(Order).has_view_permission(request):
        currency, money = settings.SHOP_CURRENCY, f"{currency_places()}g"  # for `floatformat`
        days = sales.list_days(CHART_DAYS)
        units = [sales.count_units(day) for day in days]
        rows = [(day, get_query(day), number) for day, number in zip(days, units, strict=True)]
        context |= {
            "waiting": list_waiting(),
            "periods": list_periods(days),
            "charts": [
                draw("revenue", days, [day.revenue for day in days], currency, money),
                draw("units", days, units, "pieces", "0g"),
            ],
            "days": rows[::-1],
            "currency": currency,
            "money": money,
        } | list_best_sellers(days)
    return context


def draw(name, days, values, unit, number_format):
    """Return what the template of a chart needs to draw the values of the days."""
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


def list_periods(days):
    """Return `(title, Sales, query of the list of orders)` of today, yesterday and this week."""
    weekday = timezone.localdate().weekday()
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
        ("Running low", "few", products.low().in_stock()),
    ):
        number = short[:COUNT_LIMIT].count()
        query = urlencode({"is_active__exact": 1, "stock": stock})
        rows.append((title, query, number, number == COUNT_LIMIT))
    return rows


def list_best_sellers(days):
    """Return `best_sellers`, `(Product, units)`, of the last `best_sellers_days` days."""
    number, orders = 0, 0
    for day in reversed(days):
        orders += day.orders
        if number and orders > BEST_SELLERS_ORDERS:
            break
        number += 1
    best = sales.list_best_sellers(sales.sum_up(days[-number:]), BEST_SELLERS)
    products = Product.objects.in_bulk([pk for pk, _ in best])
    best_sellers = [(products[pk], units) for pk, units in best]
    return {"best_sellers": best_sellers, "best_sellers_days": number}


def get_query(period):
    """Return the query of the list of orders for a period, in the form of Django's own filters."""
    return urlencode({"created__gte": period.start, "created__lt": period.stop})
