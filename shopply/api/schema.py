"""What the OpenAPI document has beyond what drf-spectacular finds.

`AutoSchema` maps the shop's fields. The hooks (POSTPROCESSING_HOOKS) run in this order:
`complete_operations`, `add_problems`, `add_locations`, `mark_bigints`.

An operation names its own problems by `@extend_schema(extensions={"x-problems": [...]})`. Others
follow from its shape: an invalid body, an unknown id, a wrong token. Those that any operation can
return (405, 406, 413, 415, 500 and so on) are its `default` response.
"""

import json
from pathlib import Path

from drf_spectacular import openapi
from rest_framework import serializers

from shopply.api.fields import CharField, TextField, money_pattern
from shopply.api.filters import MAX_VALUES
from shopply.api.pagination import NUMBER_MESSAGE
from shopply.api.problem_types import ERROR_CODES, MEDIA_TYPE, PROBLEM_TYPES, problem_document

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

MAX_INT32 = 2**31 - 1

# Any operation can return these.
GENERAL_PROBLEMS = (
    *("bad_request", "parse_error", "method_not_allowed", "not_acceptable", "conflict"),
    "length_required",
    *("request_too_large", "unsupported_media_type", "internal_error", "service_unavailable"),
)


def read_schema(name):
    return json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


PROBLEM = read_schema("problem.schema.json")
PROBLEM_ERROR = read_schema("problem_error.schema.json")
# Codes are no enum: a generated client would fail on one that came after it.
PROBLEM["properties"]["code"]["x-extensible-enum"] = list(PROBLEM_TYPES)
PROBLEM_ERROR["properties"]["code"]["x-extensible-enum"] = list(ERROR_CODES)
PROBLEM_ERROR["properties"]["code"]["description"] += "".join(
    f"\n* `{code}` - {meaning}" for code, meaning in ERROR_CODES.items()
)


class AutoSchema(openapi.AutoSchema):
    """Adds what drf-spectacular does not find; a field can extend its schema by `openapi`."""

    def get_filter_backends(self):
        return super().get_filter_backends() if self.method == "GET" else []

    def _get_paginator(self):
        """Only of a GET: what PATCH of a list returns is no page."""
        return super()._get_paginator() if self.method == "GET" else None

    def _map_serializer_field(self, field, direction, bypass_extensions=False):
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        match field:
            case serializers.ListSerializer() if schema is None:
                return None  # of fields that are read only, in a request
            case serializers.ListSerializer(allow_empty=False):
                schema |= item_limits(field)
            case serializers.DecimalField():
                del schema["format"]  # generators make a number of `format: decimal`
                schema["pattern"] = money_pattern(field)
            case serializers.EmailField() if direction == "request":
                schema["pattern"] = EMAIL
            case CharField(trim_whitespace=True) if direction == "request":
                schema.setdefault("pattern", LINE if field.allow_blank else LINE_NOT_BLANK)
            case TextField(trim_whitespace=True, allow_blank=False) if direction == "request":
                schema["pattern"] = NOT_BLANK
        return schema | getattr(field, "openapi", {})

    def _get_request_for_media_type(self, serializer, *args, **kwargs):
        schema, is_required = super()._get_request_for_media_type(serializer, *args, **kwargs)
        if isinstance(serializer, serializers.ListSerializer):
            schema |= item_limits(serializer)
        return schema, is_required


def item_limits(list_serializer):
    return {"minItems": 1, "maxItems": list_serializer.max_length}


def complete_operations(result, generator, request, public):
    """Hook: say which members and parameters there are, and where no log-in is used."""
    for name, schema in result["components"]["schemas"].items():
        properties = schema.get("properties", {})
        if name.endswith("Request"):
            schema["additionalProperties"] = False
            for field in properties.values():
                field.pop("x-optional", None)
        elif properties:
            # A response has all its fields, but for those that say otherwise.
            schema["required"] = sorted(
                name for name, field in properties.items() if not field.pop("x-optional", False)
            )
            if "email" in properties:
                del properties["email"]["format"]  # that of a closed account is empty
        if "results" in properties:
            properties["results"].setdefault("description", "The entries of this page.")
        for field in properties.values():
            # An empty text would match both what drf-spectacular offers for it and the pattern.
            if field.get("oneOf", [{}])[0].get("pattern") == LINE:
                field |= field.pop("oneOf")[0]
    for path, operation in list_operations(result):
        operation.setdefault("security", [])
        for parameter in operation.get("parameters", []):
            if parameter["schema"].get("type") == "array":
                parameter["schema"] |= {"minItems": 1, "maxItems": MAX_VALUES}
            if parameter["in"] == "path":
                resource = path.split("/")[2].removesuffix("s")
                parameter.setdefault("description", f"The id of the {resource}.")
    return result


def list_operations(document):
    """Return pairs of a path and one of its operations."""
    return [
        (path, operation)
        for path, operations in document["paths"].items()
        for operation in operations.values()
    ]


def add_problems(result, generator, request, public):
    """Hook: add the problems that each operation can return."""
    schemas = result["components"]["schemas"]
    schemas |= {"Problem": PROBLEM, "ProblemError": PROBLEM_ERROR}
    for path, operation in list_operations(result):
        by_status = {}
        for code in list_problems(path, operation):
            by_status.setdefault(PROBLEM_TYPES[code].status, []).append(code)
        error = example_error(operation, schemas)
        for status, codes in sorted(by_status.items()):
            operation["responses"][str(status)] = problem_response(codes, error)
        operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    result["components"]["responses"] = {"Problem": problem_response(GENERAL_PROBLEMS)}
    return result


def list_problems(path, operation):
    security = operation["security"]
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
        invalid = {"code": "invalid", "detail": NUMBER_MESSAGE}
        return {"parameter": "items_per_page", **invalid}
    body = next(iter(operation["requestBody"]["content"].values()))["schema"]
    row = "/0" if "items" in body else ""  # of an array
    fields = schemas[body.get("items", body)["$ref"].rpartition("/")[2]]["properties"]
    return {
        "pointer": f"{row}/{next(iter(fields))}",
        "code": "null",
        "detail": "This field may not be null.",
    }


LOCATION = {
    "schema": {"type": "string", "format": "uri"},
    "description": "The URL of what was created; for an adjustment, that of the stock history, and "
    "for an image, that of its product.",
    "required": True,
}


def add_locations(result, generator, request, public):
    """Hook: add the Location header to each 201."""
    for _, operation in list_operations(result):
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


def problem_response(codes, error=None):
    """Return the response with these problems; `error` is an entry of a `validation_error`."""
    statuses = {PROBLEM_TYPES[code].status for code in codes}
    return {
        "description": " ".join(f"`{code}`: {PROBLEM_TYPES[code].meaning}" for code in codes),
        **({"headers": RETRY_AFTER} if statuses == {429} else {}),
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


def mark_bigints(result, generator, request, public):
    """Hook: give integers that may need more than 32 bits `format: int64`, as ids do.

    Clients in Java, Go and C# would read them into 32 bits otherwise.
    """
    for schema in list_integers(result):
        if schema.get("maximum", MAX_INT32 + 1) > MAX_INT32:
            schema["format"] = "int64"
    return result


def list_integers(node):
    """Yield the schemas of integers within a part of the document."""
    if isinstance(node, dict):
        if node.get("type") in ("integer", ["integer", "null"]):
            yield node
        node = [*node.values()]
    if isinstance(node, list):
        for part in node:
            yield from list_integers(part)
