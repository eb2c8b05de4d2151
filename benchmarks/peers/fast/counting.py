"""How many there are in all: counted each time or, with COUNT=kept, once until something changes.

The kept count is exact. A snapshot names the transactions whose work a statement sees: as long as
pages are read under the one that the count was made under, nothing was written in between.
"""

import os

from sqlalchemy import literal_column

SNAPSHOT = literal_column("pg_current_snapshot()::text")
KEPT_AT_MOST = 1_000

kept = {}


async def counted(session, products, total, asked):
    count = await session.scalar(total)
    return (await session.scalars(products)).all(), count


async def remembered(session, products, total, asked):
    rows = (await session.execute(products.add_columns(SNAPSHOT))).all()
    snapshot, count = kept.get(asked, (None, None))
    if not rows or rows[0][1] != snapshot:
        count, snapshot = (await session.execute(total.add_columns(SNAPSHOT))).one()
        if len(kept) >= KEPT_AT_MOST:
            kept.clear()
        kept[asked] = (snapshot, count)
    return [row[0] for row in rows], count


page_and_count = remembered if os.environ.get("COUNT") == "kept" else counted
