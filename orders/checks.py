"""System checks of the order book: its stock ledger adds up, and it has one currency."""

from django.conf import settings
from django.core.checks import Error, Tags, register

from orders import stock_ledger
from orders.models import Order
from shopply.api.checks import needs_database


@register(Tags.database, deploy=True)
@needs_database
def check_stock_ledger():
    count = stock_ledger.find_discrepancies().count()
    if count:
        yield Error(
            f"The stock does not add up to adjustments and orders; products: {count}.",
            hint="`manage.py verify_stock` lists them; docs/operations.md says what to do.",
            id="orders.E001",
        )


@register(Tags.database)
@needs_database
def check_currency():
    """Run by `migrate` too, which every deployment runs."""
    currency = Order.objects.values_list("currency", flat=True).first()  # of the newest
    if currency not in (None, settings.SHOP_CURRENCY):
        yield Error(
            f"The orders are in {currency}, and SHOP_CURRENCY is {settings.SHOP_CURRENCY}.",
            hint="A shop with orders keeps its currency: prices and totals are in it.",
            id="orders.E002",
        )
