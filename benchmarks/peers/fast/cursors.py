"""Cursors of the order list: the id after which a page begins, and the direction."""

from base64 import b64decode, b64encode
from urllib.parse import parse_qs, urlencode

from fastapi import HTTPException


def encode(position, backwards=False):
    tokens = {"r": 1, "p": position} if backwards else {"p": position}
    return b64encode(urlencode(tokens).encode()).decode()


def decode(cursor):
    """Return the position and whether it goes backwards; (None, False) for the first page."""
    if cursor is None:
        return None, False
    try:
        tokens = parse_qs(b64decode(cursor, validate=True).decode())
        return int(tokens["p"][0]), "r" in tokens
    except (ValueError, KeyError):
        raise HTTPException(400, "Not a cursor that this list gave out.") from None
