"""Stand-ins for services that the shop sends data to."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from queue import Queue

import pytest


@pytest.fixture
def sentry():
    """A stand-in for Sentry: its DSN, and the queue of the envelopes it received."""
    envelopes = Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            encoding = self.headers.get("Content-Encoding")
            if encoding == "gzip":
                body = gzip.decompress(body)
            elif encoding == "br":  # where a development package brings brotli along
                body = import_module("brotli").decompress(body)
            envelopes.put(body.decode())
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://public@127.0.0.1:{server.server_port}/1", envelopes
        server.shutdown()
