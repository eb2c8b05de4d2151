"""`manage.py check --deploy --database default` finds wrong counts of products."""

from django.core.checks import Error, Tags, register
from django.db import connection

from shopply.api.checks import needs_database

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
@needs_database
def check_product_counts():
    """An Error if PostgreSQL's counts of products are wrong or lack their triggers.

    SQLite counts the rows instead.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(COUNTS_QUERY)
        row = cursor.fetchone()
    if row != (True,):
        yield Error(
            "The counts of products are wrong, or lack their triggers.",
            hint="Create the triggers and the row of products_counts again, as the migration does.",
            id="products.E001",
        )
