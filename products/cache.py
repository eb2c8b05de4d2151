"""Rendered pages of the product list, kept in memory for as long as nothing is committed."""

import hashlib
import threading

from django.db import connection
from django.http import HttpResponse
from django.utils.cache import get_conditional_response

from shopply.api.renderers import JSONRenderer

MAX_SIZE = 16 * 2**20  # bytes of a process: whoever asks for ever new pages is not to fill it
ENTRY_SIZE = 500  # bytes that an entry takes beside its key and its content


def database_snapshot():
    """Return what is equal only as long as no write was committed, by any process.

    PostgreSQL names the transactions that a statement sees. SQLite counts the writes of other
    connections, and those of this one.
    """
    connection.ensure_connection()
    driver = connection.connection  # a cursor of Django's takes as long as the statement
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            return driver.execute("SELECT pg_current_snapshot()::text").fetchone()
        return driver, driver.total_changes, driver.execute("PRAGMA data_version").fetchone()


class CachedResponse:
    """A JSON body with the ETag that names it."""

    def __init__(self, data):
        self.content = JSONRenderer().render(data)
        self.etag = f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def to_response(self, request):
        """Return a 200, or a 304 for an If-None-Match that names this body."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Authorization"}
        response = HttpResponse(self.content, "application/json", headers=headers)
        return get_conditional_response(request, self.etag, response=response)


class ResponseCache:
    """Responses by key, all of one snapshot of the database; safe to use from several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self, snapshot=None):
        self.snapshot, self.responses, self.size = snapshot, {}, 0

    def get_or_make(self, key, make):
        """Return the response kept for `key`, or else what `make()` returns, which is then kept."""
        if connection.in_atomic_block:  # which sees what nobody else does
            return make()
        snapshot = database_snapshot()
        with self.lock:
            if self.snapshot != snapshot:
                self.clear(snapshot)
            response = self.responses.get(key)
        if response is None:
            response = make()
            self.keep(key, response, snapshot)
        return response

    def keep(self, key, response, snapshot):
        size = ENTRY_SIZE + len(str(key)) + len(response.content)
        with self.lock:
            if self.size + size > MAX_SIZE:
                self.clear(snapshot)
            # Another thread may have seen a later snapshot meanwhile.
            if self.snapshot == snapshot and key not in self.responses:
                self.responses[key] = response
                self.size += size


process_cache = ResponseCache()
thread_local = threading.local()


def response_cache():
    """The cache of the process; of the thread on SQLite, where a connection has its snapshots."""
    if connection.vendor == "postgresql":
        return process_cache
    if not hasattr(thread_local, "cache"):
        thread_local.cache = ResponseCache()
    return thread_local.cache
