"""`manage.py check --deploy --database default` finds books of the stock that do not add up."""

from django.core.checks import Error, Tags, register
from django.db import DatabaseError

from orders import books


@register(Tags.database, deploy=True)
def stock_adds_up(app_configs, databases, **kwargs):
    if not databases:
        return
    try:
        unbalanced = books.unbalanced().count()
    except DatabaseError:  # away or not migrated, which shopply/checks.py reports
        return
    if unbalanced:
        yield Error(
            f"The stock does not add up to adjustments and orders; products: {unbalanced}.",
            hint="`manage.py verify_stock` lists them; deploy/RUNBOOK.md says what to do.",
            id="orders.E001",
        )
