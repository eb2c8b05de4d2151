"""A client that checks every response against the OpenAPI document."""

import json
import re
from functools import cache

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from shopply.api.problem_types import ERROR_CODES

# Documented once, in the introduction, for all operations.
ANYWHERE = {
    "bad_request",
    "parse_error",
    "method_not_allowed",
    "not_acceptable",
    "conflict",
    "length_required",
    "request_too_large",
    "unsupported_media_type",
    "service_unavailable",
    "internal_error",
}


@cache
def document():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for component in schema["components"]["schemas"].values():
        close(component)
    return schema


def close(schema):
    """Allow only documented fields: tests are stricter than the document needs to be."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema["additionalProperties"] = False
        for part in schema.values():
            close(part)
    elif isinstance(schema, list):
        for part in schema:
            close(part)


@cache
def operations():
    """Return `{(method, path template): operation}`, with methods in capitals."""
    return {
        (method.upper(), path): operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def takes_json(operation):
    """Return whether the operation has a body of JSON; others have none, or a form with a file."""
    return "application/json" in operation.get("requestBody", {}).get("content", ())


def operation_at(method, path):
    """Return the operation for a request, or None if the document has none."""
    matches = [
        (template, operation)
        for (verb, template), operation in operations().items()
        if verb == method
        and re.fullmatch(
            re.sub(r"\{\w+\}", "[0-9]+", template.replace("{slug}", "[a-z0-9-]+")), path
        )
    ]
    return matches[0][1] if matches else None


def check(method, path, status, media_type, body):
    """Assert that the document has this response to this request."""
    operation = operation_at(method, path)
    if operation is None or method in ("HEAD", "OPTIONS"):
        return
    if status >= 400 and body["code"] in ANYWHERE:
        content = document()["components"]["responses"]["Problem"]["content"]
    else:
        assert str(status) in operation["responses"], f"{method} {path} does not document {status}"
        content = operation["responses"][str(status)].get("content")
    if content is None:
        assert body is None
        return
    validate(content[media_type]["schema"], body)
    if status >= 400:
        assert body["code"] in content[media_type]["examples"]
        unlisted = {error["code"] for error in body.get("errors", ())} - ERROR_CODES.keys()
        assert not unlisted, f"error_codes.toml lacks {unlisted}"


def validate(schema, body):
    schema = {**schema, "components": document()["components"]}
    Draft202012Validator(schema, format_checker=FormatChecker(["email"])).validate(body)


def read(streaming):
    """Return the same response, read to its end."""
    response = HttpResponse(streaming.getvalue(), headers=streaming.headers)
    response.wsgi_request = streaming.wsgi_request
    response.json = lambda: json.loads(response.content)
    return response


class ContractClient(APIClient):
    def as_user(self, customer):
        """Return a client that sends the customer's token."""
        client = type(self)()
        token, _ = Token.objects.get_or_create(user=customer)
        client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
        return client

    def request(self, **request):
        response = super().request(**request)
        if response.streaming:
            response = read(response)
        if request["PATH_INFO"].startswith("/api/"):
            path = request["PATH_INFO"].rstrip("/") + "/"
            media_type = response.headers.get("Content-Type", "").split(";")[0]
            body = response.json() if media_type.endswith("json") and response.content else None
            check(request["REQUEST_METHOD"], path, response.status_code, media_type, body)
            assert ("Location" in response) == (response.status_code == 201)
        return response
