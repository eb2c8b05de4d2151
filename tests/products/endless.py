"""The shop with a worker whose turn never ends, for the negative control."""

from shopply.wsgi import application as shop


def application(environ, start_response):
    return shop({**environ, "shopply.turn": 1}, start_response)
