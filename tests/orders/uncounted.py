"""The shop without the lock that protects the count of a customer's open orders.

For the negative control in test_limits. Everything else is the shop.
"""

from shopply.wsgi import application  # noqa: F401  (the server runs it; it also sets Django up)

# isort: split
from customers.models import Customer

Customer.objects.select_for_update = lambda **options: Customer.objects.all()
