"""Adds to every operation of the OpenAPI document the problems it can answer with.

An operation names its own by `@extend_schema(extensions={"x-problems": [...]})`. What follows from
its shape is found here: a body can be bad, an id unknown, a token wrong.
Errors of the transport (405, 406, 413, 415, 500) are told once, in the introduction.
"""

from shopply.api.problems import MEDIA_TYPE, PROBLEMS

PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "A page that explains the problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {
            "type": "string",
            "enum": list(PROBLEMS),
            "description": "Stable: program against this.",
        },
        "detail": {"type": "string", "description": "What went wrong this time, for people."},
        "request_id": {"type": "string", "description": "Also sent as X-Request-ID."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "Where in the body, as a JSON pointer (RFC 6901).",
                    },
                    "parameter": {"type": "string", "description": "Which query parameter."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def add_problems(result, generator, request, public):
    """A drf-spectacular postprocessing hook."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    for path, operations in result["paths"].items():
        for operation in operations.values():
            by_status = {}
            for code in problems_of(path, operation):
                by_status.setdefault(PROBLEMS[code].status, []).append(code)
            where = "pointer" if "requestBody" in operation else "parameter"
            for status, codes in sorted(by_status.items()):
                operation["responses"][str(status)] = response(codes, where)
    return result


def problems_of(path, operation):
    security = operation.get("security", [])
    parameters = operation.get("parameters", [])
    if "requestBody" in operation:
        yield from ("validation_error", "parse_error")
    elif any(parameter["in"] == "query" for parameter in parameters):
        yield "validation_error"
    if any(parameter["name"] == "page" for parameter in parameters):
        yield "not_found"
    if any(security):
        yield "authentication_failed"
        if {} not in security:
            yield "not_authenticated"
    if "{" in path:
        yield "not_found"
    yield from operation.get("x-problems", [])


def response(codes, where):
    return {
        "description": " ".join(f"`{code}`: {PROBLEMS[code].meaning}" for code in codes),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"value": example(code, where)} for code in codes},
            }
        },
    }


ERRORS = {
    ("validation_error", "pointer"): {
        "pointer": "/items/0/quantity",
        "code": "min_value",
        "detail": "Ensure this value is greater than or equal to 1.",
    },
    ("validation_error", "parameter"): {
        "parameter": "items_per_page",
        "code": "invalid",
        "detail": "Must be a whole number, 1 or more.",
    },
    ("out_of_stock", "pointer"): {
        "pointer": "/items/0/quantity",
        "code": "out_of_stock",
        "detail": "Panama Gesha La Loma, 100 g: only 3 left.",
    },
}


def example(code, where):
    document = {
        "type": f"http://127.0.0.1:8000/api/problems/{code}/",
        "title": PROBLEMS[code].title,
        "status": PROBLEMS[code].status,
        "code": code,
        "detail": PROBLEMS[code].meaning,
        "request_id": "3f2a9c0d5b7e4c1f8a6d2e9b0c4f7a15",
    }
    if (code, where) in ERRORS:
        document["errors"] = [ERRORS[code, where]]
    return document
