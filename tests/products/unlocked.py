"""The shop that compares revisions before it locks the row, as the negative control of test_races.

Everything else is the shop.
"""

from shopply.wsgi import application  # noqa: F401  (the server runs it; it also sets Django up)

# isort: split
from products.managers import RevisionChanged
from products.models import Product

guarded_update_fields = Product.update_fields


def update_fields(self, *, if_revision=None, **changes):
    if if_revision is not None and self.revision not in if_revision:
        raise RevisionChanged
    guarded_update_fields(self, **changes)


Product.update_fields = update_fields
