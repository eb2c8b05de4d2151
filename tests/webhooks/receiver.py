"""A receiver of webhooks: verifies by the library of the specification, and fails on request."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook

from tests.changes.follower import wait_until_shown
from webhooks.models import Endpoint


class Receiver(ThreadingHTTPServer):
    """Collects `messages`, each `(webhook-id, payload)`, verified if it has a secret.

    `script` has what to do with the next requests, each a function of the handler that responds;
    then all get a 204.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.secret, self.messages, self.headers, self.script = None, [], [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook?shop=1"

    @property
    def events(self):
        """What was received: `[(type, id of the object)]`."""
        return [(payload["type"], payload["data"].get("id")) for _, payload in self.messages]

    def handle_error(self, *args):
        """Say nothing: clients that go away are what tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver = self.server
        if receiver.script and receiver.script.pop(0)(self) is not True:
            self.close_connection = True
            return
        if receiver.secret:
            Webhook(receiver.secret).verify(body, dict(self.headers))
        receiver.headers.append(dict(self.headers))
        receiver.messages.append((self.headers["webhook-id"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def respond(status, **headers):
    """Return an entry of a script: this response, without taking the message."""

    def respond_so(handler):
        handler.send_response(status)
        for name, value in ({"Content-Length": "0"} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return respond_so


def write(content):
    """Return an entry of a script: these bytes instead of a response."""
    return lambda handler: handler.wfile.write(content)


@contextmanager
def receiving(port=0):
    with Receiver(port) as receiver:
        threading.Thread(target=receiver.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.shutdown()


def make_endpoint(receiver, **fields):
    """Return an endpoint that sends what changes from now on to this receiver."""
    wait_until_shown()
    endpoint = Endpoint(url=receiver.url, **fields)
    endpoint.start()
    endpoint.save()
    receiver.secret = endpoint.secret
    return endpoint
