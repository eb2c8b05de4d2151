"""What is known of a client between its requests and in the middle of them.

Here is found out when a request is whole, and no more: what it says, and whether it is proper HTTP,
is for gunicorn's parser. It gets the head once that ends, and chunks once the last one is there, or
as soon as something looks wrong with them.
"""

import io
import re

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from gunicorn.http import errors, get_parser
from gunicorn.http.body import LengthReader

LONGEST_HEAD = 2**20  # bytes; one that breaks no limit of gunicorn's is shorter
LONGEST_LINE = 8_190  # bytes, before a chunk or behind the last one; gunicorn's limit too

BARE_LF = re.compile(rb"(?<!\r)\n")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)(?:[ \t]*;[^\r\n]*)?\r\n")


class TooLarge:
    """What stands for a body that is larger than the server reads."""

    def read(self, *size):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raise RequestDataTooBig(f"A request body has at most {most:,} bytes.")

    readline = read


class Connection:
    def __init__(self, client, address, server):
        self.socket = client
        self.address = address
        self.server = server
        self.deadline = 0  # when waiting for the client ends
        self.watched = None  # what it is waited for, and what is done then
        self.ended = False  # whether it was told that nothing follows

        self.received = bytearray()  # and not answered
        self.looked_at = 0  # how much of that need not be looked at again
        self.request = None  # what the parser made of the head
        self.whole = False  # whether the body is there too

        self.unsent = memoryview(b"")
        self.answer = None
        self.content = None  # gives the rest of the answer, piece by piece

    @property
    def held(self):
        return len(self.received) + len(self.unsent.obj)  # of which it is the end

    def look(self, cfg):
        """See whether the request is whole; raise what is wrong with it."""
        if self.request is None:
            self.look_for_head(cfg)
        if self.request is None:
            return
        reader, most = self.request.body.reader, settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if isinstance(reader, LengthReader):
            # One that is too large is refused by its length: no need to wait for it.
            self.whole = reader.length <= len(self.received) or reader.length > most
        else:
            self.whole = self.is_last_chunk_there()
            if self.looked_at > most:
                TooLarge().read()

    def look_for_head(self, cfg):
        end = self.received.find(b"\r\n\r\n", max(self.looked_at - 3, 0)) + 4
        if end < 4:
            end = len(self.received)
            if end <= LONGEST_HEAD and not BARE_LF.search(self.received, self.looked_at):
                self.looked_at = end
                return
        try:
            self.request = next(get_parser(cfg, [bytes(self.received[:end])], self.address))
        except errors.NoMoreData:
            raise errors.LimitRequestHeaders("The head does not end.") from None
        del self.received[:end]
        self.looked_at = 0

    def is_last_chunk_there(self):
        """Whether it is, or something that the parser will not take for a chunk."""
        while self.looked_at < len(self.received):
            if self.looked_at and self.received[self.looked_at - 2 : self.looked_at] != b"\r\n":
                return True
            line = CHUNK_SIZE.match(self.received, self.looked_at)
            if not line:
                rest = self.received[self.looked_at : self.looked_at + LONGEST_LINE + 1]
                return b"\n" in rest or len(rest) > LONGEST_LINE
            size, start = int(line[1], 16), line.end()
            if size == 0:
                rest = self.received[start - 2 : start + LONGEST_LINE]
                return b"\r\n\r\n" in rest or len(rest) > LONGEST_LINE
            self.looked_at = start + size + 2
        return False

    def take_request(self):
        """A whole request and its body; what has come after it is for the next one."""
        request, reader = self.request, self.request.body.reader
        if not isinstance(reader, LengthReader):
            request.unreader.unread(bytes(self.received))
            body = io.BytesIO(request.body.read())
            self.received = bytearray(request.unreader.take_buffered())
        elif reader.length > len(self.received):
            body, self.received = TooLarge(), bytearray()
            request.force_close()
        else:
            body = io.BytesIO(self.received[: reader.length])
            del self.received[: reader.length]
        self.forget_request()
        return request, body

    def forget_request(self):
        self.request, self.whole, self.looked_at = None, False, 0

    @property
    def is_last(self):
        """Whether nothing can follow the answer that was sent; a refusal is the last."""
        return self.answer is None or self.answer.is_last
