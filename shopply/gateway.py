"""Between HTTP and WSGI: a request as the application wants it, an answer as it goes to the client.

gunicorn has both too, for all that it serves; a fifth of the time of a kept page went into them.
"""

import re
import sys
import time
from functools import lru_cache
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

from gunicorn.util import http_date

PIECE = 65_536  # bytes that are read at once of a file
BODILESS = ("204", "304")
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def environ_of(request, body, client, server, turn):
    """What WSGI calls the environ.

    `shopply.turn` is equal for requests that had all come before the first of them was answered.
    """
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": "HTTP/{}.{}".format(*request.version),
        "SERVER_NAME": server[0] if isinstance(server, tuple) else server,
        "SERVER_PORT": str(server[1]) if isinstance(server, tuple) else "",
        "REMOTE_ADDR": client[0] if isinstance(client, tuple) else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "shopply.turn": turn,
    }
    for name, value in request.headers:
        # The parser lets no name with an underscore pass, which would be another's here.
        key = name.replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


class Answer:
    """What the application answers to a request."""

    def __init__(self, request, *, is_last):
        self.method = request.method
        self.is_last = is_last or request.should_close()  # whether nothing can follow it

    def start(self, status, headers, exc_info=None):
        """What WSGI calls start_response."""
        self.status, self.headers = status, headers

    def pieces(self, content):
        """Yield the bytes: of a file piece by piece, else all at once."""
        try:
            if self.status.startswith(BODILESS):
                yield self.head([each for each in self.headers if not is_length(each)])
            elif isinstance(content, FileWrapper):
                yield from self.file(content)
            else:
                yield self.whole(b"".join(content))
        finally:
            if hasattr(content, "close"):
                content.close()

    def whole(self, body):
        length = self.length
        if length is None:
            length = len(body)
            self.headers.append(("Content-Length", str(length)))
        if self.method == "HEAD":
            return self.head(self.headers)
        self.is_last |= len(body) < length  # the client waits for the rest
        return self.head(self.headers) + body[:length]

    def file(self, content):
        left = self.length
        if left is None:
            raise ValueError("A file without a length.")
        yield self.head(self.headers)
        if self.method != "HEAD":
            content.blksize = PIECE
            for piece in content:
                yield piece[:left]
                left -= min(left, len(piece))
            self.is_last |= left > 0

    @property
    def length(self):
        """How long the application says that the body is; None if it does not."""
        return next((int(each[1]) for each in self.headers if is_length(each)), None)

    def head(self, headers):
        lines = [
            f"HTTP/1.1 {self.status}",
            "Server: gunicorn",
            f"Date: {date(int(time.time()))}",
            f"Connection: {'close' if self.is_last else 'keep-alive'}",
            *[f"{name}: {value}" for name, value in headers],
        ]
        if CONTROLS.search("".join(lines)):
            raise ValueError("A header has a control character.")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def is_length(header):
    return header[0].lower() == "content-length"


@lru_cache(1)
def date(second):
    return http_date(second)
