"""Answers about the catalogue, kept in memory for as long as nothing is written to the database."""

import hashlib
import threading

from django.db import connection
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from rest_framework.renderers import JSONRenderer

MOST = 1_000
kept = threading.local()  # as connections are: SQLite counts changes by connection


def state():
    """Equal only as long as no write was committed, by whomever.

    PostgreSQL names the transactions that a statement sees. SQLite counts the writes of other
    connections, and those of its own. Both cost much less than a page of products.
    """
    connection.ensure_connection()
    link = connection.connection
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            return link, link.execute("SELECT pg_current_snapshot()::text", prepare=True).fetchone()
        return link, link.execute("PRAGMA data_version").fetchone(), link.total_changes


def answer(request, key, make):
    """The 200 whose JSON is what `make()` returns, or a 304 to who has it already.

    `make` is not called if it was since the database last changed, for the same `key`.
    """
    answers = {} if connection.in_atomic_block else unchanged()
    if key not in answers:
        if len(answers) >= MOST:
            answers.clear()
        content = JSONRenderer().render(make())
        answers[key] = content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    content, etag = answers[key]
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Authorization"}
    response = HttpResponse(content, "application/json", headers=headers)
    return get_conditional_response(request, etag, response=response)


def unchanged():
    """`{key: (content, etag)}` of the answers made since the database last changed."""
    now = state()
    if getattr(kept, "state", None) != now:
        kept.state, kept.answers = now, {}
    return kept.answers
