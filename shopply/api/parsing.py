"""Request bodies: JSON that a database can store."""

import json

from rest_framework import exceptions, parsers


class JSONParser(parsers.JSONParser):
    """DRF's parser, refusing as well what it would let through to a 500."""

    def parse(self, stream, media_type=None, parser_context=None):
        try:
            data = super().parse(stream, media_type, parser_context)
            # Half of a surrogate pair is legal in JSON, but has no UTF-8.
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError:
            raise exceptions.ParseError("The body is nested too deeply.") from None
        except UnicodeEncodeError:
            raise exceptions.ParseError("The body holds half of a surrogate pair.") from None
        return data
