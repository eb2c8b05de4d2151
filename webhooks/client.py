"""The HTTP client of webhooks: one request, one response, within limits that nothing stretches."""

import io
import socket
import ssl
import time
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import models

from webhooks.destinations import ForbiddenAddress, parse_url, resolve

TIMEOUT = 10  # seconds, of the whole exchange
MAX_BYTES = 64 * 1024  # of a response that are read, headers included


class DeliveryError(models.TextChoices):
    """Why there was no response."""

    FORBIDDEN = "forbidden", "address not allowed"
    UNRESOLVED = "unresolved", "unknown host"
    REFUSED = "refused", "connection refused"
    TLS = "tls", "TLS failed"
    TIMEOUT = "timeout", f"took over {TIMEOUT} seconds"
    DISCONNECTED = "disconnected", "connection lost"
    INVALID = "invalid", "not a response of HTTP"


class Result(NamedTuple):
    """The status of the response, or a DeliveryError; and the milliseconds that it took."""

    status: int | None
    error: str
    duration: int
    retry_after: int = 0  # seconds that the receiver asks for

    @property
    def succeeded(self):
        return self.status is not None and 200 <= self.status < 300


class Deadline:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    @property
    def is_over(self):
        return time.monotonic() >= self.end

    @property
    def seconds(self):
        """The seconds that are left. Raises TimeoutError if there are none."""
        if self.is_over:
            raise TimeoutError
        return max(self.end - time.monotonic(), 0.001)  # 0 would be no timeout, but not to wait


class LimitedReader(io.RawIOBase):
    """Reads from a socket until the deadline, and up to MAX_BYTES; then the response ends.

    A timeout of a socket is for each call, so that a response could trickle in for ever.
    """

    def __init__(self, sock, deadline):
        super().__init__()
        self.sock, self.deadline, self.left = sock, deadline, MAX_BYTES

    def readable(self):
        return True

    def readinto(self, buffer):
        self.sock.settimeout(self.deadline.seconds)
        size = self.sock.recv_into(memoryview(buffer)[: self.left])
        self.left -= size
        return size

    def makefile(self, mode):
        """As a socket has it, for HTTPResponse."""
        return io.BufferedReader(self)


@cache
def tls_context():
    return ssl.create_default_context()


def post(url, body, headers):
    """Send these bytes; return the Result, whatever happens."""
    started = time.monotonic()
    status, error, retry_after = None, "", 0
    try:
        deadline = Deadline(TIMEOUT)
        destination = parse_url(url)
        addresses = resolve(destination, deadline.seconds)
        status, retry_after = exchange(destination, addresses, deadline, body, headers)
    except (ValidationError, ForbiddenAddress):
        error = DeliveryError.FORBIDDEN
    except TimeoutError:
        error = DeliveryError.TIMEOUT
    except socket.gaierror:
        error = DeliveryError.UNRESOLVED
    except ssl.SSLError:
        error = DeliveryError.TLS
    except ConnectionRefusedError:
        error = DeliveryError.REFUSED
    except OSError:
        error = DeliveryError.DISCONNECTED
    except HTTPException:
        error = DeliveryError.INVALID
    return Result(status, error, round((time.monotonic() - started) * 1000), retry_after)


def exchange(destination, addresses, deadline, body, headers):
    """Send to one of these addresses, without resolving the host again.

    Returns the status, and the seconds of Retry-After or 0. Redirects are not followed, and proxies
    of the environment are not used.
    """
    with connect(addresses, deadline) as plain, secure(plain, destination, deadline) as sock:
        connection = HTTPConnection(destination.host, destination.port)
        connection.sock = sock
        sock.settimeout(deadline.seconds)
        headers = {"Host": destination.netloc, "Connection": "close"} | headers
        connection.request("POST", destination.target, body, headers)
        with HTTPResponse(LimitedReader(sock, deadline), method="POST") as response:
            response.begin()
            with suppress(HTTPException):  # the status counts, whatever the rest is
                response.read(MAX_BYTES)
            delay = response.headers.get("Retry-After", "")
            return response.status, int(delay) if delay.isdecimal() and len(delay) < 8 else 0


def connect(addresses, deadline):
    """Return a socket that is connected to the first of these addresses that accepts.

    Each has its share of the time, since one of IPv6 may be out of reach without an error.
    """
    error = None
    for number, (family, sockaddr) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.seconds / (len(addresses) - number))
            sock.connect(sockaddr)
            return sock
        except OSError as exc:
            sock.close()
            error = exc
    raise error


def secure(sock, destination, deadline):
    """Return the socket, with TLS for https; the certificate must be that of the URL's host."""
    if destination.scheme == "http":
        return sock
    sock.settimeout(deadline.seconds)
    return tls_context().wrap_socket(sock, server_hostname=destination.host)
