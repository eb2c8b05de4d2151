"""System checks of the order book: its stock ledger adds up, and it has one currency."""

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import DatabaseError

from orders import stock_ledger
from orders.models import Order


@register(Tags.database, deploy=True)
def check_stock_ledger(app_configs, databases, **kwargs):
    if not databases:
        return
    try:
        count = stock_ledger.find_discrepancies().count()
    except DatabaseError:  # away or not migrated, which shopply/checks.py reports
        return
    if count:
        yield Error(
            f"The stock does not add up to adjustments and orders; products: {count}.",
            hint="`manage.py verify_stock` lists them; docs/operations.md says what to do.",
            id="orders.E001",
        )


@register(Tags.database)
def check_currency(app_configs, databases, **kwargs):
    """Run by `migrate` too, which every deployment runs."""
    if not databases:
        return
    try:
        currency = Order.objects.values_list("currency", flat=True).first()  # of the newest
    except DatabaseError:
        return
    if currency not in (None, settings.SHOP_CURRENCY):
        yield Error(
            f"The orders are in {currency}, and SHOP_CURRENCY is {settings.SHOP_CURRENCY}.",
            hint="A shop with orders keeps its currency: prices and totals are in it.",
            id="orders.E002",
        )
