"""The shop without the lock on the customer's row under which an order is written.

For the negative control of test_closing. All else is the shop.
"""

from shopply.wsgi import application  # noqa: F401  (what the server runs; it also sets Django up)

# isort: split
from orders import sql

sql.for_share = lambda: ""
