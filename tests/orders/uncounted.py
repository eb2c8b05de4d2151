"""The shop without the lock under which the open orders of a customer are counted.

For the negative control of test_limits. All else is the shop.
"""

from shopply.wsgi import application  # noqa: F401  (what the server runs; it also sets Django up)

# isort: split
from customers.models import Customer

Customer.objects.select_for_update = lambda **options: Customer.objects.all()
