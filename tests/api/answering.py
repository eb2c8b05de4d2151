"""A WSGI application that answers as it is asked to, to see what the server makes of it."""

import os
import tempfile
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopply.settings")

SIZE = 5_000_000  # bytes of what is more than a socket takes at once


def application(environ, start_response):
    _, what, *rest = environ["PATH_INFO"].split("/")
    answer = ANSWERS.get(what, missing)
    return answer(environ, start_response, *rest)


def missing(environ, start_response, *rest):
    start_response("404 Not Found", [("Content-Length", "0")])
    return []


def hello(environ, start_response, name="", *rest):
    body = f"hello {name}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def echo(environ, start_response, *rest):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def large(environ, start_response, *rest):
    start_response("200 OK", [("Content-Length", str(SIZE))])
    return [b"x" * SIZE]


def file(environ, start_response, *rest):
    content = tempfile.TemporaryFile()  # noqa: SIM115  (the server closes it)
    content.write(b"x" * SIZE)
    content.seek(0)
    start_response("200 OK", [("Content-Length", str(SIZE))])
    return environ["wsgi.file_wrapper"](content, 4096)


def stream(environ, start_response, *rest):
    start_response("200 OK", [])
    return (piece for piece in (b"in ", b"", b"pieces"))


def short(environ, start_response, *rest):
    start_response("200 OK", [("Content-Length", "10")])
    return [b"short"]


def nothing(environ, start_response, *rest):
    start_response("204 No Content", [])
    return []


def header(environ, start_response, *rest):
    start_response("200 OK", [("X-Evil", "a\r\nX-More: b")])
    return []


def fail(environ, start_response, *rest):
    raise RuntimeError("SELECT secret FROM secrets")


def hang(environ, start_response, seconds, *rest):
    time.sleep(float(seconds))
    return hello(environ, start_response)


ANSWERS = {
    each.__name__: each
    for each in (hello, echo, large, file, stream, short, nothing, header, fail, hang)
}
