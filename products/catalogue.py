"""What was read, kept in memory for as long as nothing is written to the database."""

import hashlib
import threading
from typing import NamedTuple

from django.db import connection
from django.http import HttpResponse, HttpResponseNotModified
from django.utils.cache import get_conditional_response
from rest_framework.settings import api_settings

from products.pages import Census
from products.records import asked, product_records_of


class Outline(NamedTuple):
    """Which products a page has, in their order, and what is around them in the answer.

    It holds as long as the catalogue is the same edition: whatever is sold meanwhile.
    """

    edition: int
    ids: list
    frame: dict

    def filled(self, tell):
        """The whole answer as of now, each product as `tell` tells it; None if it may differ."""
        products = product_records_of(self.edition, self.ids)
        return products and self.frame | {"results": [tell(products[pk]) for pk in self.ids]}


class Memory(threading.local):
    """Pages and rows of this thread, as its connection is: SQLite counts writes by connection.

    Requests of one `turn` had all come before the first of them was answered: what is found then
    holds for each.
    """

    # Bytes: whoever asks for ever new pages is not to fill the memory.
    MOST = 16 * 2**20
    EACH = 500  # that Python takes for a page, beside its address and its content

    OUTLINES = 500
    ROWS = 2_000

    def __init__(self):
        self.outlines = {}
        self.turn = None
        self.forget()

    def forget(self, state=None):
        self.state, self.pages, self.size, self.rows = state, {}, 0, {}

    def look(self, turn):
        """Forget all if anything was written since, unless this turn has looked already.

        To look takes a third of the time of a page.
        """
        if turn is None or turn != self.turn:
            now = state()
            if self.state != now:
                self.forget(now)
            self.turn = turn

    def asked(self, turn, sql, values):
        """The rows of a statement, as `records.asked` returns them; they are kept within turns."""
        if turn is None or connection.in_atomic_block:
            return asked(sql, values)
        self.look(turn)
        key = sql, *values
        if key not in self.rows:
            rows = asked(sql, values)
            if not rows:  # of what there is not, there is no end
                return rows
            if len(self.rows) >= self.ROWS:
                self.rows = {}
            self.rows[key] = rows
        return self.rows[key]

    def page(self, key, make, turn=None):
        """The Page that `make()` returned for the key; it is called if anything was written."""
        if connection.in_atomic_block:  # which sees what nobody else does
            return make()
        self.look(turn)
        if key not in self.pages:
            page = make()
            weight = self.EACH + len(str(key)) + len(page.content)
            if self.size + weight > self.MOST:
                self.forget(self.state)
            self.pages[key] = page
            self.size += weight
        return self.pages[key]

    def filled(self, key, tell):
        """What is known of the answer, filled with what is in stock now; None if too little is."""
        return key in self.outlines and self.outlines[key].filled(tell)

    def outline(self, key, make):
        """What `make()` returned, of which the outline is kept."""
        edition = Census.now().edition
        answer = make()
        if answer["results"] and Census.now().edition == edition:
            if len(self.outlines) >= self.OUTLINES:
                self.outlines = {}
            ids = [product["id"] for product in answer["results"]]
            self.outlines[key] = Outline(edition, ids, {**answer, "results": None})
        return answer


memory = Memory()


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


class Page:
    """An answer as JSON, and the ETag that names it."""

    def __init__(self, data):
        self.content = api_settings.DEFAULT_RENDERER_CLASSES[0]().render(data)
        self.etag = f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def answer(self, request):
        """The 200, or a 304 to who has it already."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Authorization"}
        known = request.META.get("HTTP_IF_NONE_MATCH")
        if known == self.etag:
            return HttpResponseNotModified(headers=headers)
        response = HttpResponse(self.content, "application/json", headers=headers)
        if known or "HTTP_IF_MATCH" in request.META:
            return get_conditional_response(request, self.etag, response=response)
        return response
