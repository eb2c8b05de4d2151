"""The worker process of gunicorn: one thread that waits for no client.

What clients send is kept until a whole request is there; only then the shop is called, for one of
them after the other, since a database connection and kept pages belong to a thread. What a client
does not take of its answer at once, it gets when it does.
"""

import errno
import math
import os
import socket
import time
import uuid
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from types import SimpleNamespace

from gunicorn.workers.base import Worker as BaseWorker

from shopply import logging_config
from shopply.connection import Connection
from shopply.gateway import PIECE, Answer, FileWrapper, environ_of
from shopply.refusals import TooLate, problem_of, refusal

MOST_HELD = 64 * 2**20  # bytes of requests and answers that are kept for all clients together
LINGER = 2  # seconds that clients have to read the last they get, and the idle ones at the end


class Worker(BaseWorker):
    @classmethod
    def check_config(cls, cfg, log):
        if cfg.is_ssl or cfg.proxy_protocol != "off":
            raise ValueError("The worker speaks plain HTTP. TLS is for a proxy before it.")

    def run(self):
        # As plain attributes: a look into gunicorn's own object takes ten times as long.
        values = {name: setting.get() for name, setting in self.cfg.settings.items()}
        networks = self.cfg.forwarded_allow_networks
        self.options = SimpleNamespace(**values, is_ssl=False, forwarded_allow_networks=networks)
        self.patience = self.cfg.timeout or math.inf
        self.pause = min(self.timeout or 1, 1)
        self.sweep_at = 0
        self.connections = set()
        self.waiting = []  # those with a whole request
        self.held = 0
        self.served = 0  # clients in the last turn
        self.turns = 0  # in which somebody was served
        self.is_free = False
        self.poller = DefaultSelector()
        self.poller.register(self.PIPE[0], EVENT_READ, self.read_signals)
        for listener in self.sockets:
            listener.setblocking(False)
            self.poller.register(listener, EVENT_READ, partial(self.let_in, listener))
        while self.alive:
            self.turn()
        self.stop()

    def stop(self):
        """Answer what has begun to arrive."""
        self.is_free = False
        for listener in self.sockets:
            self.poller.unregister(listener)
            while self.accept(listener):  # whom the system has let in already
                pass
            listener.close()
        now = time.monotonic()
        for connection in self.connections:
            if not connection.held and connection.request is None:
                connection.deadline = min(connection.deadline, now + LINGER)
        while self.connections and time.monotonic() < now + self.cfg.graceful_timeout:
            self.turn()

    def turn(self):
        """Read and send what can be; then answer every client that has sent a whole request."""
        self.notify()
        ready = self.poller.select(0 if self.waiting else self.pause)
        self.is_free = len(ready) == 1 and not self.waiting
        now = time.monotonic()
        for key, _ in ready:
            key.data()
        # After that, and by the time before it: no client is late because the worker was.
        if now > self.sweep_at:
            self.sweep_at = now + self.pause
            self.sweep(now)
        waiting, self.waiting = self.waiting, []
        self.served = len(waiting)
        self.turns += bool(waiting)
        for connection in waiting:
            self.serve(connection)
            if time.monotonic() > self.sweep_at:
                self.notify()  # the master ends workers that are silent: so many may be waiting

    def read_signals(self):
        os.read(self.PIPE[0], PIECE)  # they were handled; this is how they end a pause

    def sweep(self, now):
        if self.ppid != os.getppid():
            self.log.info("The master is gone, and %s goes too.", self)
            self.alive = False
        for connection in [each for each in self.connections if each.deadline < now]:
            if connection.unsent or connection.ended:
                self.close(connection)
            elif connection.received or connection.request:
                self.refuse(connection, TooLate("the rest of a request did not come"))
            else:
                self.end(connection)

    # --- Clients come and go --------------------------------------------------------------------

    def let_in(self, listener):
        """Take as many clients as were just served: one at a time, the last would wait for long."""
        for _ in range(max(1, self.served)):
            if not self.accept(listener):
                break

    def accept(self, listener):
        """Take one client, if there is one: of many that come at once, others get their share."""
        if self.is_free:  # the worker with fewer clients is up first, and takes the next one
            time.sleep(min(len(self.connections), 10) * 0.00005)
        try:
            client, address = listener.accept()
        except OSError as exc:
            if exc.errno in (errno.EMFILE, errno.ENFILE):
                self.make_room()
            return False
        client.setblocking(False)
        if len(self.connections) >= self.options.worker_connections:
            self.make_room()
        connection = Connection(client, address, listener.getsockname())
        connection.deadline = time.monotonic() + self.patience
        connection.watched = EVENT_READ, self.receive
        self.poller.register(client, EVENT_READ, partial(self.receive, connection))
        self.connections.add(connection)
        return True

    def make_room(self):
        """Close the connection that is to be closed first anyhow, unless all are being served."""
        first = min(self.connections, key=lambda each: each.deadline, default=None)
        if first and first.deadline < math.inf:
            self.close(first)

    def hold(self, size):
        """Close the connection that holds most, when all together hold too much."""
        self.held += size  # and never less, until it is too much; then it is counted
        if self.held > MOST_HELD:
            self.held = sum(each.held for each in self.connections)
            unserved = [each for each in self.connections if each.deadline < math.inf]
            if self.held > MOST_HELD and unserved:
                self.log.warning("Clients send too much at once, or do not read their answers.")
                self.close(max(unserved, key=lambda each: each.held))

    def watch(self, connection, event, react):
        if connection.watched != (event, react):
            connection.watched = event, react
            self.poller.modify(connection.socket, event, partial(react, connection))

    def end(self, connection):
        """Tell a client that nothing follows, and wait for it to go.

        It would lose what it has not read yet of its answer, were the connection just closed while
        it sends something.
        """
        connection.ended = True
        connection.deadline = time.monotonic() + LINGER
        try:
            connection.socket.shutdown(socket.SHUT_WR)
            self.watch(connection, EVENT_READ, self.discard)
        except OSError:
            self.close(connection)

    def close(self, connection):
        if connection in self.connections:
            self.connections.remove(connection)
            self.poller.unregister(connection.socket)
            connection.socket.close()
            if connection.content:
                connection.content.close()

    # --- Requests and answers -------------------------------------------------------------------

    def read(self, connection):
        """What has come, or None; closes the connection at its end."""
        try:
            data = connection.socket.recv(PIECE)
        except BlockingIOError:
            return None
        except OSError:
            data = None
        if not data:
            self.close(connection)
        return data

    def discard(self, connection):
        self.read(connection)

    def receive(self, connection):
        if connection.whole:
            return  # it gets its answer before more of it is read
        if data := self.read(connection):
            if not connection.received and connection.request is None:
                connection.deadline = time.monotonic() + self.patience
            connection.received += data
            self.look(connection)
            self.hold(len(data))

    def look(self, connection):
        try:
            connection.look(self.options)
        except Exception as exc:
            self.refuse(connection, exc)
            return
        if connection.whole:
            connection.deadline = math.inf
            self.waiting.append(connection)
        elif connection.request and connection.request._expected_100_continue:
            connection.request._expected_100_continue = False
            try:
                connection.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            except OSError:  # it has left no room for this by not reading
                self.close(connection)

    def serve(self, connection):
        """Have the shop answer a request."""
        self.nr += 1
        if self.nr == self.max_requests:
            self.log.info("%s has answered as many requests as it should.", self)
            self.alive = False
        try:
            request, body = connection.take_request()
            environ = environ_of(request, body, connection.address, connection.server, self.turns)
            answer = Answer(request, is_last=not (self.alive and self.options.keepalive))
            content = self.wsgi(environ, answer.start)
            connection.answer, connection.content = answer, answer.pieces(content)
            if not isinstance(content, FileWrapper):
                connection.unsent = memoryview(b"".join(connection.content))
        except BaseException as exc:
            if isinstance(exc, SystemExit) and not (exc.code or self.alive):
                raise  # told to quit; a call that the master ends for its length has a code
            self.refuse(connection, exc)
        else:
            self.hold(len(connection.unsent))
            self.send(connection)

    def send(self, connection):
        """Give a client what it takes of its answer; come back when it takes more."""
        try:
            while connection.unsent or self.next_piece(connection):
                sent = connection.socket.send(connection.unsent)
                connection.unsent = connection.unsent[sent:]
        except BlockingIOError:
            connection.deadline = time.monotonic() + self.patience
            self.watch(connection, EVENT_WRITE, self.send)
        except OSError:
            self.close(connection)
        except Exception:
            self.log.exception("An answer breaks off.")
            self.close(connection)
        else:
            self.go_on(connection)

    def next_piece(self, connection):
        """The next one of a file."""
        piece = next(connection.content, b"") if connection.content else b""
        connection.unsent = memoryview(piece)
        return piece

    def go_on(self, connection):
        """Wait for the next request of a client, unless there can be none."""
        if connection.is_last:
            self.end(connection)
            return
        now = time.monotonic()
        connection.deadline = now + (self.options.keepalive if self.alive else LINGER)
        self.watch(connection, EVENT_READ, self.receive)
        if connection.received:
            connection.deadline = now + self.patience
            self.look(connection)

    def refuse(self, connection, exc):
        """Answer with a problem, as the last: where another request would begin is not known."""
        (code, detail), request_id = problem_of(exc), uuid.uuid4().hex
        logging_config.request_id.set(request_id)
        if code == "internal_error":
            self.log.error("A request failed", exc_info=exc)
        else:
            self.log.warning("Refused: %s", exc)
        logging_config.request_id.set(None)
        connection.forget_request()
        connection.received.clear()
        connection.answer = connection.content = None
        connection.unsent = memoryview(refusal(code, detail, request_id))
        self.send(connection)
