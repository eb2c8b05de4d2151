"""Rendered pages of the product list, valid as long as no transaction commits."""

import threading

from django.db import connection
from django.http import HttpResponse
from django.utils.cache import get_conditional_response

from shopply.api.preconditions import make_etag, precondition_failed
from shopply.api.renderers import JSONRenderer

MAX_SIZE = 16 * 2**20  # bytes of a process
ENTRY_SIZE = 500  # bytes of an entry besides its key and its content


def database_snapshot():
    """Return a value that changes when any process commits a write.

    It identifies the transactions that a statement sees (PostgreSQL), or counts the writes of other
    connections and of this one (SQLite).
    """
    connection.ensure_connection()
    driver = connection.connection  # creating a cursor of Django takes as long as the statement
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            return driver.execute("SELECT pg_current_snapshot()::text").fetchone()
        return driver, driver.total_changes, driver.execute("PRAGMA data_version").fetchone()


class CachedResponse:
    """A JSON body with its ETag, of the content and of the `revision` if it has one."""

    def __init__(self, data, revision=None):
        self.content = JSONRenderer().render(data)
        self.etag = make_etag(self.content, revision)

    def to_response(self, request):
        """Return a 200, or a 304 if the request's If-None-Match has this ETag.

        Raises a 412 if it has an If-Match without this ETag.
        """
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Authorization"}
        response = HttpResponse(self.content, "application/json", headers=headers)
        response = get_conditional_response(request, self.etag, response=response)
        if response.status_code == 412:
            raise precondition_failed()
        return response


class ResponseCache:
    """Responses by key, all of one snapshot of the database; thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self, snapshot=None):
        self.snapshot, self.responses, self.size = snapshot, {}, 0

    def get_or_make(self, key, make):
        """Return the cached response for `key`, or cache and return `make()`."""
        if connection.in_atomic_block:  # which sees uncommitted changes
            return make()
        snapshot = database_snapshot()
        with self.lock:
            if self.snapshot != snapshot:
                self.clear(snapshot)
            response = self.responses.get(key)
        if response is None:
            response = make()
            self.add(key, response, snapshot)
        return response

    def add(self, key, response, snapshot):
        size = ENTRY_SIZE + len(str(key)) + len(response.content)
        with self.lock:
            if self.size + size > MAX_SIZE:
                self.clear(snapshot)
            # Another thread may have seen a later snapshot in the meantime.
            if self.snapshot == snapshot and key not in self.responses:
                self.responses[key] = response
                self.size += size


process_cache = ResponseCache()
thread_local = threading.local()


def response_cache():
    """Return the cache of the process; on SQLite of the thread, whose connection has snapshots."""
    if connection.vendor == "postgresql":
        return process_cache
    if not hasattr(thread_local, "cache"):
        thread_local.cache = ResponseCache()
    return thread_local.cache
