"""The shop whose bulk updates read products before they lock them, in the order of the rows.

The negative control of test_bulk_races. Everything else is the shop.
"""

from shopply.wsgi import application  # noqa: F401  (the server runs it; it also sets Django up)

# isort: split
from django.db import transaction

from products.bulk import BulkUpdateManager
from products.models import Product


def make(self, changes, *, by, represent, **key):
    products = Product.objects.in_bulk(changes)
    values, adjustments = {}, []
    for pk, fields in changes.items():
        values[products[pk]] = {"price": fields["price"]}
        adjustments.append(products[pk].stocktake(fields["quantity_in_stock"]))
    with transaction.atomic():
        Product.objects.write_all([], values, filter(None, adjustments), by=by)
        return represent()


BulkUpdateManager.make = make
