"""The shop without the lock on the customer's row while an order is written.

For the negative control in test_closing. Everything else is the shop.
"""

from shopply.wsgi import application  # noqa: F401  (the server runs it; it also sets Django up)

# isort: split
from orders import sql

sql.CLOCK["postgresql"] = sql.CLOCK["postgresql"].replace("FOR SHARE", "")
