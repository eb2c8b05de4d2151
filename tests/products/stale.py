"""The shop with a cache that minds no writes, for the negative control."""

from shopply.wsgi import application  # noqa: F401  (what the server runs; it also sets Django up)

# isort: split
from products import cache

cache.database_snapshot = lambda: "as ever"
