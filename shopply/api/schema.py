"""Adds to each operation of the OpenAPI document the problems and headers that it can return.

An operation names its own by `@extend_schema(extensions={"x-problems": [...]})`. Others follow from
its shape: an invalid body, an unknown id, a wrong token. The introduction describes general ones
(405, 406, 413, 415, 431, 500) once.
"""

import json
from pathlib import Path

from drf_spectacular import openapi
from rest_framework import serializers

from shopply.api.fields import CharField, TextField, money_pattern
from shopply.api.filters import MAX_VALUES
from shopply.api.problem_types import MEDIA_TYPE, PROBLEM_TYPES, problem_document

# A character that Python does not strip. Four of those it strips are not white space to ECMAScript.
NOT_BLANK = r"[^\s\u001c-\u001f\u0085]"

# What `validate_line` rejects up to U+FFFF: no pattern beyond is portable. And null characters.
CONTROL_CHARACTERS = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    r"\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
)
LINE = f"^[^{CONTROL_CHARACTERS}]*$"
LINE_NOT_BLANK = rf"^[^{CONTROL_CHARACTERS}]*[^\s{CONTROL_CHARACTERS}][^{CONTROL_CHARACTERS}]*$"

# What Django requires of an address beyond `format: email`.
EMAIL = r"^[!-~]+\.([A-Za-z][A-Za-z-]{0,61}[A-Za-z]|xn--[A-Za-z0-9]{1,59})$"

PROBLEM = json.loads(Path(__file__).with_name("problem.schema.json").read_text(encoding="utf-8"))
PROBLEM["properties"]["code"]["enum"] = list(PROBLEM_TYPES)


class AutoSchema(openapi.AutoSchema):
    """Adds what drf-spectacular does not find; a field can extend its schema by `openapi`."""

    def _map_serializer_field(self, field, direction, bypass_extensions=False):
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        match field:
            case serializers.ListSerializer(allow_empty=False):
                schema |= {"minItems": 1, "maxItems": field.max_length}
            case serializers.DecimalField():
                schema["pattern"] = money_pattern(field)
            case serializers.EmailField() if direction == "request":
                schema["pattern"] = EMAIL
            case CharField(trim_whitespace=True) if direction == "request":
                schema.setdefault("pattern", LINE if field.allow_blank else LINE_NOT_BLANK)
            case TextField(trim_whitespace=True, allow_blank=False) if direction == "request":
                schema["pattern"] = NOT_BLANK
        return schema | getattr(field, "openapi", {})


def add_problems(result, generator, request, public):
    """A drf-spectacular postprocessing hook."""
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
        elif "properties" in schema:
            # A response has all its fields, but for those that say otherwise.
            schema["required"] = sorted(
                field
                for field, field_schema in schema["properties"].items()
                if not field_schema.pop("x-optional", False)
            )
    schemas["Problem"] = PROBLEM
    for path, operations in result["paths"].items():
        for operation in operations.values():
            by_status = {}
            for code in list_problems(path, operation):
                by_status.setdefault(PROBLEM_TYPES[code].status, []).append(code)
            for parameter in operation.get("parameters", []):
                if parameter["schema"].get("type") == "array":
                    parameter["schema"] |= {"minItems": 1, "maxItems": MAX_VALUES}
            error = example_error(operation, schemas)
            for status, codes in sorted(by_status.items()):
                operation["responses"][str(status)] = problem_response(codes, error)
    return result


def list_problems(path, operation):
    security = operation.get("security", [])
    parameters = operation.get("parameters", [])
    yield "validation_error"
    if "requestBody" in operation:
        yield "parse_error"
    if any(parameter["name"] == "page" for parameter in parameters):
        yield "not_found"
    if any(security):
        yield from ("authentication_failed", "token_expired", "too_many_failures")
        if {} not in security:
            yield "not_authenticated"
    if "{" in path:
        yield "not_found"
    yield "throttled"
    yield from operation.get("x-problems", [])


def example_error(operation, schemas):
    """Return an example entry of `errors`, for a field of the body or a query parameter."""
    if "requestBody" not in operation:
        invalid = {"code": "invalid", "detail": "Must be a whole number, 1 or more."}
        return {"parameter": "items_per_page", **invalid}
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    fields = schemas[body["$ref"].rpartition("/")[2]]["properties"]
    return {
        "pointer": f"/{next(iter(fields))}",
        "code": "null",
        "detail": "This field may not be null.",
    }


LOCATION = {
    "schema": {"type": "string", "format": "uri"},
    "description": "The URL of what was created; for an adjustment, that of the stock history.",
    "required": True,
}


def add_locations(result, generator, request, public):
    """Add the Location header to each 201; a drf-spectacular postprocessing hook."""
    for operations in result["paths"].values():
        for operation in operations.values():
            if created := operation["responses"].get("201"):
                created.setdefault("headers", {})["Location"] = LOCATION
    return result


RETRY_AFTER = {
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 1},
        "description": "Seconds to wait.",
        "required": True,
    }
}


def problem_response(codes, error):
    return {
        "description": " ".join(f"`{code}`: {PROBLEM_TYPES[code].meaning}" for code in codes),
        **({"headers": RETRY_AFTER} if PROBLEM_TYPES[codes[0]].status == 429 else {}),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"value": example_problem(code, error)} for code in codes},
            }
        },
    }


def example_problem(code, error):
    url = f"http://127.0.0.1:8000/api/problems/{code}/"
    errors = {"errors": [error]} if code == "validation_error" else {}
    request_id = "3f2a9c0d5b7e4c1f8a6d2e9b0c4f7a15"
    return problem_document(code, url, request_id, **errors, **PROBLEM_TYPES[code].members)
