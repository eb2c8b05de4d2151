"""The total count: queried each time or, with COUNT=kept, cached until something changes.

The cached count is exact. A snapshot identifies the transactions whose changes a statement sees: as
long as pages are read under the snapshot of the count, nothing was written in between.
"""

import os

from sqlalchemy import literal_column

SNAPSHOT = literal_column("pg_current_snapshot()::text")
MAX_CACHED_COUNTS = 1_000

cached_counts = {}


async def count_every_time(session, products, total, cache_key):
    count = await session.scalar(total)
    return (await session.scalars(products)).all(), count


async def count_with_cache(session, products, total, cache_key):
    rows = (await session.execute(products.add_columns(SNAPSHOT))).all()
    snapshot, count = cached_counts.get(cache_key, (None, None))
    if not rows or rows[0][1] != snapshot:
        count, snapshot = (await session.execute(total.add_columns(SNAPSHOT))).one()
        if len(cached_counts) >= MAX_CACHED_COUNTS:
            cached_counts.clear()
        cached_counts[cache_key] = (snapshot, count)
    return [row[0] for row in rows], count


page_and_count = count_with_cache if os.environ.get("COUNT") == "kept" else count_every_time
