"""The export of a person's data, for the API and the admin."""

from collections.abc import Iterator
from contextlib import ExitStack

from django.http import StreamingHttpResponse

from shopply.api.renderers import JSONRenderer
from shopply.api.slots import exporting


def export_response(customer):
    """Stream `customer.export()`. Raises Busy."""
    return StreamingHttpResponse(
        ExportStream(customer),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="customer-{customer.pk}.json"'},
    )


class ExportStream:
    """The JSON in pieces. Django closes it when it is sent or the client disconnects."""

    def __init__(self, customer):
        self.slot = ExitStack()
        self.slot.enter_context(exporting.acquire())
        self.pieces = stream_object(customer.export())

    def __iter__(self):
        return self.pieces

    def close(self):
        self.slot.close()


def stream_object(members):
    """Yield the JSON of `{name: value}` in pieces, and of an iterator element by element."""
    render = JSONRenderer().render
    for index, (name, value) in enumerate(members.items()):
        yield (b", " if index else b"{") + render(name) + b": "
        if not isinstance(value, Iterator):
            yield render(value) or b"null"
            continue
        separator = b"["
        for element in value:
            yield separator + render(element)
            separator = b", "
        yield b"[]" if separator == b"[" else b"]"
    yield b"}"
