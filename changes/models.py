"""The feed: what changed in products, orders and customers, in the order of transactions.

Triggers of the database write the changes, in the transaction that makes them: see the first
migration for PostgreSQL, `changes.triggers` for SQLite.
"""

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from itertools import takewhile
from typing import NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from shopply.api.sql import columns

BATCH_SIZE = 1_000  # changes that are removed at once

# A transaction that began early can commit late, with an earlier time and an earlier id than rows
# that were read already. So PostgreSQL shows only rows below the oldest transaction that still
# runs: whatever commits from now on comes after them. SQLite's writers are serial.
IS_SHOWN = {
    "postgresql": "transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
    "sqlite": "true",
}
LAG = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8
    FROM changes_change
    WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
"""
# Differs in a database that was restored from a backup or promoted, whose transaction ids and
# contents may differ from those that clients saw.
DATABASE = """
    SELECT concat_ws(
        '.', system_identifier, timeline_id, pg_database.oid, 'changes_change'::regclass::oid
    )
    FROM pg_control_system(), pg_control_checkpoint(), pg_database
    WHERE datname = current_database()
"""


class UnknownCursor(Exception):
    """The cursor is none of this feed, or its change was removed: the client must start anew."""


class Position(NamedTuple):
    """Where a change stands in the feed; ids are of one sequence, and order one transaction."""

    transaction_id: int
    change_id: int


class Cursor(NamedTuple):
    """A position as clients get it, with the epoch of the feed."""

    epoch: UUID
    position: Position

    LAYOUT = struct.Struct(">16sqq")

    def __str__(self):
        content = self.LAYOUT.pack(self.epoch.bytes, *self.position)
        return urlsafe_b64encode(content).decode().rstrip("=")

    @classmethod
    def parse(cls, text):
        """Return the Cursor of a text that `str` made. Raises UnknownCursor."""
        if not re.fullmatch("[A-Za-z0-9_-]{43}", text):
            raise UnknownCursor
        epoch, *position = cls.LAYOUT.unpack(urlsafe_b64decode(f"{text}="))
        return cls(UUID(bytes=epoch), Position(*position))


class ChangeManager(models.Manager):
    def read(self, after=None, limit=100):
        """Return up to `limit` changes after a Cursor, oldest first, and the Cursor of the last.

        Without `after` they are the oldest. If there are none, the Cursor is where the next one
        will follow. Raises UnknownCursor.
        """
        changes = self._fetch(after.position if after else Position(0, 0), limit + 1)
        # Read afterwards: of changes that were removed meanwhile, it has the last.
        feed = Feed.objects.current()
        position = feed.removed
        if after:
            position = after.position
            is_kept = bool(changes) and changes[0].position == position
            if after.epoch != feed.epoch or not (is_kept or position == feed.removed):
                raise UnknownCursor
            changes = changes[is_kept:]
        changes = changes[:limit]
        for change in changes:
            position = change.position
            change.cursor = Cursor(feed.epoch, position)
        if len(changes) < limit:  # the client has caught up, so there is time
            self.remove_old()
        return changes, Cursor(feed.epoch, position)

    def latest_cursor(self):
        """Return the Cursor after which everything follows that is not shown yet."""
        newest = self._fetch(Position(0, 0), 1, order="DESC")
        feed = Feed.objects.current()
        return Cursor(feed.epoch, newest[0].position if newest else feed.removed)

    def _fetch(self, start, limit, order="ASC"):
        """Return the first of the changes that are shown, or the last, from a Position on."""
        sql = (
            f"SELECT {columns(self.model)} FROM changes_change"  # noqa: S608
            f" WHERE (transaction_id, id) >= (%s, %s) AND {IS_SHOWN[connection.vendor]}"
            f" ORDER BY transaction_id {order}, id {order} LIMIT {limit:d}"
        )
        return list(self.raw(sql, start))

    def remove_old(self):
        """Remove up to BATCH_SIZE changes that are older than CHANGES_DAYS; return how many."""
        if not self._fetch_old(1):  # nearly always: then nothing is locked
            return 0
        with transaction.atomic():
            feed = Feed.objects.select_for_update(skip_locked=True).first()
            old = self._fetch_old(BATCH_SIZE) if feed else []  # else another request removes them
            if old:
                feed.removed_transaction_id, feed.removed_id = old[-1].position
                feed.save()
                self.filter(pk__in=[change.pk for change in old]).delete()
        return len(old)

    def _fetch_old(self, limit):
        """Return the first changes, up to one that is not old: none is removed before another."""
        if not settings.CHANGES_DAYS:
            return []
        limit_time = timezone.now() - timedelta(days=settings.CHANGES_DAYS)
        changes = self._fetch(Position(0, 0), limit)
        return [*takewhile(lambda change: change.at < limit_time, changes)]

    def get_lag(self):
        """Return the seconds for which the oldest change that is not shown has waited, or 0."""
        if connection.vendor == "sqlite":
            return 0
        Feed.objects.current()  # after a restore, no row has the transaction ids of another server
        with connection.cursor() as cursor:
            cursor.execute(LAG)
            return cursor.fetchone()[0]


class Change(models.Model):
    """That an object changed, without what it holds: the row has no personal data."""

    class Type(models.TextChoices):
        PRODUCT = "product"
        ORDER = "order"
        CUSTOMER = "customer"

    class Event(models.TextChoices):
        CREATED = "created"
        CHANGED = "changed"
        DELETED = "deleted"
        STOCK = "stock"
        SOLD_OUT = "sold_out"
        PRICE = "price"
        RETIRED = "retired"
        PLACED = "placed"
        CONFIRMED = "confirmed"
        SHIPPED = "shipped"
        DELIVERED = "delivered"
        CANCELLED = "cancelled"
        CLOSED = "closed"

    transaction_id = models.BigIntegerField(help_text="Of PostgreSQL; 0 on SQLite.")
    type = models.CharField(max_length=8, choices=Type)
    object_id = models.BigIntegerField()
    event = models.CharField(max_length=9, choices=Event)
    at = models.DateTimeField()

    objects = ChangeManager()

    class Meta:
        indexes = [models.Index(fields=("transaction_id", "id"), name="change_by_commit")]

    def __str__(self):
        return f"{self.type} {self.object_id}: {self.event}"

    @property
    def position(self):
        return Position(self.transaction_id, self.pk)


class FeedManager(models.Manager):
    def current(self):
        """Return the Feed of this database: a new one, if this is not the database of the old."""
        database = self._identify_database()
        return self.filter(pk=database).first() or self._start(database)

    def _start(self, database):
        with transaction.atomic():
            if self.exists():
                # Their transaction ids are those of another server.
                with connection.cursor() as cursor:
                    cursor.execute("TRUNCATE changes_change, changes_feed")
            feed, _ = self.get_or_create(pk=database)
        return feed

    def _identify_database(self):
        if connection.vendor == "sqlite":
            return "sqlite"  # a file does not know that it was copied: see docs/operations.md
        with connection.cursor() as cursor:
            cursor.execute(DATABASE)
            return cursor.fetchone()[0]


class Feed(models.Model):
    """The one row about the feed. Without it, a new epoch begins: old cursors are unknown."""

    database = models.CharField(max_length=100, primary_key=True)
    epoch = models.UUIDField(default=uuid4)
    removed_transaction_id = models.BigIntegerField(default=0)
    removed_id = models.BigIntegerField(default=0)

    objects = FeedManager()

    def __str__(self):
        return str(self.epoch)

    @property
    def removed(self):
        """The Position of the last change that was removed; changes are removed in order."""
        return Position(self.removed_transaction_id, self.removed_id)


class FeedReader(models.Model):
    """A part of the shop that follows the feed: where it stands."""

    epoch = models.UUIDField(editable=False)
    transaction_id = models.BigIntegerField(editable=False)
    change_id = models.BigIntegerField(editable=False)

    class Meta:
        abstract = True

    @property
    def cursor(self):
        return Cursor(self.epoch, Position(self.transaction_id, self.change_id))

    def next_changes(self, limit=100):
        """Return the changes that follow. In a feed that began anew, they are its first."""
        try:
            changes, _ = Change.objects.read(self.cursor, limit)
        except UnknownCursor:
            changes, start = Change.objects.read(limit=limit)
            if not changes:
                self.move_to(start)
        return changes

    def get_lag(self):
        """Return the seconds for which the next change has waited, or 0."""
        changes = self.next_changes(limit=1)
        return (timezone.now() - changes[0].at).total_seconds() if changes else 0

    def move_to(self, cursor):
        """Stand at this Cursor; `save` keeps it."""
        self.epoch = cursor.epoch
        self.transaction_id, self.change_id = cursor.position


class ReaderManager(models.Manager):
    def start(self, name):
        """Create this reader, unless there is one: it reads what follows from now on."""
        if not self.filter(pk=name).exists():
            reader = Reader(name=name)
            reader.move_to(Change.objects.latest_cursor())
            reader.save(force_insert=True)

    def handle_next(self, name, handle):
        """Return what `handle(changes)` returns for the next changes of this reader, or None.

        In one transaction with its new position: what `handle` writes is written once. Does nothing
        while another process does it.
        """
        if not self.get(pk=name).next_changes(limit=1):  # nearly always: then nothing is locked
            return None
        with transaction.atomic():
            reader = self.select_for_update(skip_locked=True).filter(pk=name).first()
            changes = reader.next_changes() if reader else []
            if not changes:
                return None
            result = handle(changes)
            reader.move_to(changes[-1].cursor)
            reader.save()
        return result


class Reader(FeedReader):
    """A reader by its name."""

    name = models.CharField(max_length=20, primary_key=True)

    objects = ReaderManager()

    class Meta:
        default_permissions = ()

    def __str__(self):
        return self.name
