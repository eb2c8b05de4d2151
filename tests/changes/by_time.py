"""The shop, whose feed is ordered by time, for the control in test_concurrency: it loses changes.

It shows what is committed as soon as it is, like `modified_after` of a list. Everything else is the
shop.
"""

from shopply.wsgi import application  # noqa: F401  (the server runs it; it also sets Django up)

# isort: split
from changes.models import ChangeManager

TIME = "(extract(epoch FROM at) * 1000000)::bigint"


def fetch(self, start, limit, order="ASC"):
    sql = (
        f"SELECT id, {TIME} AS transaction_id, type, object_id, event, at FROM changes_change"  # noqa: S608
        f" WHERE ({TIME}, id) >= (%s, %s) ORDER BY {TIME} {order}, id {order} LIMIT {limit}"
    )
    return list(self.raw(sql, start))


ChangeManager._fetch = fetch
