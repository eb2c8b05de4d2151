"""What waits and what was sold: plain data for the first page of the admin.

Cancelled orders are counted apart and sold nothing. Days are those of the current time zone.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from orders.models import Order, OrderItem
from orders.transitions import Status

IS_SOLD = ~Q(status=Status.CANCELLED)


@dataclass
class Sales:
    """What was ordered from `start` until before `stop`; `revenue` is in SHOP_CURRENCY."""

    start: datetime
    stop: datetime
    orders: int = 0
    cancelled: int = 0
    units: int = 0
    revenue: Decimal = Decimal(0)


def get_waiting(*statuses):
    """Return `{status: (number of orders, the Order placed first or None)}`."""
    waiting = Order.objects.filter(status__in=statuses).order_by().values_list("status")
    numbers = {row[0]: row[1:] for row in waiting.annotate(Count("pk"), Min("pk"))}
    orders = Order.objects.only("created").in_bulk([oldest for _, oldest in numbers.values()])
    pairs = {status: numbers.get(status, (0, None)) for status in statuses}
    return {status: (number, orders.get(oldest)) for status, (number, oldest) in pairs.items()}


def list_days(number):
    """Return the Sales of each of the last days, without units; the last one is today."""
    today = timezone.localdate()
    dates = [today - timedelta(days=days) for days in reversed(range(-1, number))]
    midnights = [timezone.make_aware(datetime.combine(date, time.min)) for date in dates]
    rows = (
        Order.objects.filter(created__gte=midnights[0], created__lt=midnights[-1])
        .order_by()
        .values(date=TruncDate("created"))
        .annotate(
            orders=Count("pk", filter=IS_SOLD),
            cancelled=Count("pk", filter=~IS_SOLD),
            revenue=Sum("total_price", filter=IS_SOLD, default=Decimal(0)),
        )
    )
    figures = {row.pop("date"): row for row in rows}
    spans = zip(dates, midnights, midnights[1:], strict=False)  # the last is tomorrow's midnight
    return [Sales(start, stop, **figures.get(date, {})) for date, start, stop in spans]


def sum_up(days):
    """Return the Sales of successive days together."""
    names = ("orders", "cancelled", "units", "revenue")
    sums = {name: sum(getattr(day, name) for day in days) for name in names}
    return Sales(days[0].start, days[-1].stop, **sums)


def count_units(days):
    """Set the units of each of these successive days."""
    rows = sold_items(days).values_list(TruncDate("order__created"))
    units = dict(rows.annotate(Sum("quantity")))
    for day in days:
        day.units = units.get(day.start.date(), 0)


def list_best_sellers(days, limit):
    """Return `[(product id, units)]` of the products sold most on these successive days."""
    rows = sold_items(days).values_list("product").annotate(units=Sum("quantity"))
    return list(rows.order_by("-units", "product")[:limit])


def sold_items(days):
    items = OrderItem.objects.order_by().exclude(order__status=Status.CANCELLED)
    return items.filter(order__created__gte=days[0].start, order__created__lt=days[-1].stop)
