"""A client that follows the feed, as a copy of the shop would."""

import time

from django.db import connection

PATH = "/api/changes/"


def wait_until_shown():
    """Wait until no transaction holds back what is committed by now.

    Other tests of the same server of PostgreSQL may, whatever their database. A test in a
    transaction need not wait: what it writes is never shown.
    """
    if connection.vendor == "sqlite" or connection.in_atomic_block:
        return
    snapshot = "SELECT pg_snapshot_{}(pg_current_snapshot())::text::bigint"
    deadline = time.monotonic() + 60
    with connection.cursor() as cursor:
        cursor.execute(snapshot.format("xmax"))
        (limit,) = cursor.fetchone()
        cursor.execute(snapshot.format("xmin"))
        while cursor.fetchone()[0] < limit:
            assert time.monotonic() < deadline, "a transaction does not end"
            time.sleep(0.02)
            cursor.execute(snapshot.format("xmin"))


class Follower:
    """Reads the feed from now on, by a client of Django or of `tests.servers`."""

    def __init__(self, client):
        self.client = client
        wait_until_shown()
        self.cursor = self.get("after=latest")["cursor"]

    def get(self, query):
        if hasattr(self.client, "call"):
            response = self.client.call("GET", f"{PATH}?{query}")
            status, data = response.status, response.body
        else:
            response = self.client.get(f"{PATH}?{query}")
            status, data = response.status_code, response.json()
        assert status == 200, data
        return data

    def read_page(self, query=""):
        """Return the next page as `(type, id, event)`."""
        data = self.get(f"after={self.cursor}&{query}")
        self.cursor = data["cursor"]
        return [(change["type"], change["id"], change["event"]) for change in data["results"]]

    def read(self, query=""):
        """Return all that follows, up to an empty page."""
        changes = []
        while page := self.read_page(query):
            changes += page
        return changes

    def read_all(self):
        """Return all that follows, and that is committed by now."""
        wait_until_shown()
        return self.read()
