"""The shop with a cache that ignores writes, as a negative control."""

from shopply.wsgi import application  # noqa: F401  (run by the server; it also sets Django up)

# isort: split
from products import cache

cache.database_snapshot = lambda: "as ever"
