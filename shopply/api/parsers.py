"""Parsing of request bodies: JSON with one meaning, which a database can store; and forms."""

import json
from decimal import Decimal, InvalidOperation
from io import BytesIO

from rest_framework import exceptions, parsers
from rest_framework.utils.json import strict_constant


class JSONParser(parsers.JSONParser):
    """DRF's parser; also rejects duplicate members, and text that would be a 500 later.

    A number with a fraction or an exponent is a Decimal, exactly as it was sent.
    """

    def parse(self, stream, media_type=None, parser_context=None):
        try:
            text = stream.read().decode("utf-8-sig")  # some programs write a byte order mark
            data = json.loads(
                text,
                object_pairs_hook=unique_names,
                parse_constant=strict_constant,
                parse_float=Decimal,
            )
            # Half of a surrogate pair is legal in JSON, but has no UTF-8.
            json.dumps(data, ensure_ascii=False, default=str).encode()
        except RecursionError:
            raise exceptions.ParseError("The body is nested too deeply.") from None
        except UnicodeEncodeError:
            raise exceptions.ParseError("The body holds half of a surrogate pair.") from None
        except UnicodeDecodeError:
            raise exceptions.ParseError("The body is not UTF-8.") from None
        except InvalidOperation:
            raise exceptions.ParseError("A number has too many digits in its exponent.") from None
        except ValueError as exc:
            # What follows is about Python: how to read an integer of more digits.
            message = str(exc).partition("; use ")[0]
            raise exceptions.ParseError(f"JSON parse error - {message}") from None
        return data


def unique_names(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("An object has two members of one name.")
    return members


def check_form(fields):
    """Reject a form that has two fields of one name, or a text that is not UTF-8.

    `fields` is a QueryDict, or a MultiValueDict of files. Django reads U+FFFD in place of what is
    not UTF-8, so that nobody can tell it from one that was sent.
    """
    for name, values in fields.lists():
        if len(values) > 1:
            raise exceptions.ParseError(f"The form has two fields of one name: {name[:100]}.")
        if "\ufffd" in name or "\ufffd" in str(values[0]):
            raise exceptions.ParseError("The form is not UTF-8, or it has the character U+FFFD.")


class FormParser(parsers.FormParser):
    """DRF's; also rejects what `check_form` does."""

    def parse(self, stream, media_type=None, parser_context=None):
        form = super().parse(stream, media_type, parser_context)
        check_form(form)
        return form


class MultiPartParser(parsers.MultiPartParser):
    """DRF's, which reads a body of any length, if its fields are short; and `check_form`."""

    def parse(self, stream, media_type=None, parser_context=None):
        body = parser_context["request"].body  # rejected if it is too large
        form = super().parse(BytesIO(body), media_type, parser_context)
        check_form(form.data)
        return form
