"""`manage.py check --deploy --database default` finds a stock ledger that does not add up."""

from django.core.checks import Error, Tags, register
from django.db import DatabaseError

from orders import stock_ledger


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
