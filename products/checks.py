"""`manage.py check --deploy --database default` finds wrong counts of products."""

from django.core.checks import Error, Tags, register
from django.db import DatabaseError, connection

COUNTS_QUERY = r"""
    SELECT for_sale = (SELECT count(*) FROM products_product WHERE is_active)
        AND retired = (SELECT count(*) FROM products_product WHERE NOT is_active)
        AND 4 = (
            SELECT count(*) FROM pg_trigger
            WHERE tgrelid = 'products_product'::regclass AND tgenabled <> 'D'
                AND tgname LIKE 'products\_%'
        )
    FROM products_counts
"""


@register(Tags.database, deploy=True)
def check_product_counts(app_configs, databases, **kwargs):
    """An Error if PostgreSQL's counts of products are wrong or lack their triggers.

    SQLite counts the rows instead.
    """
    if not databases or connection.vendor != "postgresql":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(COUNTS_QUERY)
            row = cursor.fetchone()
    except DatabaseError:  # away or not migrated, which shopply/checks.py reports
        return
    if row != (True,):
        yield Error(
            "The counts of products are wrong, or lack their triggers.",
            hint="Create the triggers and the row of products_counts again, as the migration does.",
            id="products.E001",
        )
