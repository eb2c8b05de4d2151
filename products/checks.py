"""`manage.py check --deploy --database default` finds counts of products that nothing keeps."""

from django.core.checks import Error, Tags, register
from django.db import DatabaseError, connection

COUNTS_ARE_KEPT = """
    SELECT for_sale = (SELECT count(*) FROM products_product WHERE is_active)
        AND retired = (SELECT count(*) FROM products_product WHERE NOT is_active)
        AND 4 = (
            SELECT count(*) FROM pg_trigger
            WHERE tgrelid = 'products_product'::regclass AND tgenabled <> 'D' AND NOT tgisinternal
        )
    FROM products_counts
"""


@register(Tags.database, deploy=True)
def product_counts(app_configs, databases, **kwargs):
    """Whether `count` of the product list is right, and PostgreSQL has the triggers that keep it.

    SQLite keeps no counts.
    """
    if not databases or connection.vendor != "postgresql":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(COUNTS_ARE_KEPT)
            row = cursor.fetchone()
    except DatabaseError:  # away or not migrated, which shopply/checks.py reports
        return
    if row != (True,):
        yield Error(
            "The counts of products are wrong, or lack triggers that keep them.",
            hint="Make the triggers and the row of products_counts anew, as the migration does.",
            id="products.E001",
        )
