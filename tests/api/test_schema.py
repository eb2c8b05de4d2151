"""The OpenAPI document: how it is served, and what generators of clients need of it."""

import json
import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.contrib.auth import password_validation
from django.core import validators
from jsonschema import Draft202012Validator
from rest_framework import fields, relations, serializers
from rest_framework.authtoken import serializers as token_serializers

from shopply.api import views
from shopply.api.problem_types import ERROR_CODES, PROBLEM_TYPES
from tests.contract import ANYWHERE, document, operations

JSON = "application/vnd.oai.openapi+json"


@pytest.fixture(autouse=True)
def clear_schema_cache():
    views.render_schema.cache_clear()


def walk(node, place=""):
    """Yield `(place, part)` for each object within a part of the document."""
    parts = []
    if isinstance(node, dict):
        yield place, node
        parts = node.items()
    elif isinstance(node, list):
        parts = enumerate(node)
    for name, part in parts:
        yield from walk(part, f"{place}/{name}")


def list_schemas(json_type):
    """Return `{place: schema}` of all schemas of this type, nullable or not."""
    return {
        place: part
        for place, part in walk(document())
        if part.get("type") in (json_type, [json_type, "null"])
    }


def examples():
    """Yield the place of each example, the schema that it is an example of, and its value."""
    for place, part in walk(document()):
        if "schema" in part:
            for name, example in part.get("examples", {}).items():
                yield f"{place} {name}", part["schema"], example["value"]
        if "type" in part and "example" in part:
            yield place, part, part["example"]


@pytest.mark.parametrize(
    ("accept", "load"),
    [("*/*", yaml.safe_load), ("application/yaml", yaml.safe_load), (JSON, json.loads)],
)
def test_document_is_the_same_in_each_format(client, accept, load):
    response = client.get("/api/schema/", headers={"Accept": accept})
    assert response.status_code == 200
    assert (
        load(response.content)["paths"].keys()
        == views.SchemaGenerator().get_schema(request=None, public=True)["paths"].keys()
    )


def test_document_is_generated_once(client, monkeypatch):
    calls = []
    get_schema = views.SchemaGenerator.get_schema
    monkeypatch.setattr(
        views.SchemaGenerator,
        "get_schema",
        lambda *args, **kwargs: calls.append(1) or get_schema(*args, **kwargs),
    )
    documents = [client.get(f"/api/schema/?version={number}").content for number in range(3)]
    assert len(calls) == len(set(documents)) == 1


def test_document_names_its_server_and_its_contact():
    assert document()["servers"] == [{"url": "/"}]
    assert document()["info"]["contact"]["name"]


def test_example_is_valid(subtests):
    format_checker = Draft202012Validator.FORMAT_CHECKER
    for place, schema, example in examples():
        schema = {**schema, "components": document()["components"]}
        with subtests.test(place=place):
            Draft202012Validator(schema, format_checker=format_checker).validate(example)


def test_every_field_has_a_description():
    properties = {
        f"{place}/{name}": schema
        for place, part in walk(document())
        if isinstance(part.get("properties"), dict)
        for name, schema in part["properties"].items()
    }
    assert len(properties) > 100
    assert [place for place, schema in properties.items() if not schema.get("description")] == []


def test_every_parameter_and_header_has_a_description():
    parameters = {
        place: part for place, part in walk(document()["paths"]) if {"schema", "in"} <= part.keys()
    } | {
        f"{place}/{name}": header
        for place, part in walk(document())
        for name, header in part.get("headers", {}).items()
    }
    assert len(parameters) > 50
    assert [place for place, part in parameters.items() if not part.get("description")] == []


def test_money_is_a_string_with_a_pattern_and_without_a_format():
    """Generators of Go, Java, Dart and C# make a number of `format: decimal`."""
    assert "decimal" not in {schema.get("format") for schema in list_schemas("string").values()}
    price = document()["components"]["schemas"]["Product"]["properties"]["price"]
    assert re.search(price["pattern"], "11.90")


def test_integer_that_needs_64_bits_says_so():
    integers = list_schemas("integer")
    ids = {place for place in integers if re.search("/(id|product|customer|order|by)$", place)}
    assert len(ids) >= 10
    for place, schema in integers.items():
        bounded = schema.get("maximum", 2**31) < 2**31
        assert schema.get("format") == (None if bounded else "int64"), place
    for (method, path), operation in operations().items():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] != "slug":
                assert parameter["schema"]["format"] == "int64", (method, path)


def test_every_operation_says_what_any_other_error_looks_like():
    for key, operation in operations().items():
        assert operation["responses"]["default"]["$ref"] == "#/components/responses/Problem", key
    (content,) = document()["components"]["responses"]["Problem"]["content"].values()
    assert content["schema"]["$ref"] == "#/components/schemas/Problem"
    assert set(content["examples"]) == ANYWHERE


def test_every_operation_says_which_log_in_it_takes():
    without = {key for key, operation in operations().items() if operation["security"] == []}
    assert without == {
        ("POST", "/api/obtain-token/"),
        ("POST", "/api/customers/password-reset/"),
        ("POST", "/api/customers/password-reset/confirm/"),
    }


def test_component_names_are_not_those_that_generators_make():
    names = document()["components"]["schemas"].keys()
    of_models = {  # in Go
        name_in_go
        for name in names
        for name_in_go in (
            f"New{name}",
            f"New{name}WithDefaults",
            f"Nullable{name}",
            f"NewNullable{name}",
        )
    }
    of_operations = {
        f"{prefix}{''.join(map(str.title, operation['operationId'].split('_')))}{suffix}"
        for operation in operations().values()
        for prefix in ("", "Api", "API")  # TypeScript, Go, Java
        for suffix in ("Request", "Response", "Params", "Error")
    }
    assert names & (of_models | of_operations) == set()
    assert len({name.lower() for name in names}) == len(names)  # files, on some systems


def test_no_two_enums_share_a_value():
    """In Go, their constants would have the same name."""
    enums = [
        value
        for schema in document()["components"]["schemas"].values()
        for value in schema.get("enum", ())
    ]
    assert len(set(enums)) == len(enums)


def test_codes_are_listed_and_open():
    """Not an enum: a generated client would fail on a code that a later version adds."""
    schemas = document()["components"]["schemas"]
    code = schemas["Problem"]["properties"]["code"]
    error_code = schemas["ProblemError"]["properties"]["code"]
    assert code["x-extensible-enum"] == list(PROBLEM_TYPES)
    assert error_code["x-extensible-enum"] == list(ERROR_CODES)
    assert all(f"`{code}`" in error_code["description"] for code in ERROR_CODES)
    assert "enum" not in code.keys() | error_code.keys()


def test_every_listed_error_code_is_in_code_that_sends_it():
    """`tests/contract.py` looks at the opposite: every code that is sent is listed."""
    libraries = (fields, relations, serializers, token_serializers, validators, password_validation)
    paths = [Path(library.__file__) for library in libraries]
    for package in ("changes", "customers", "products", "orders", "shopply"):
        paths += Path(settings.BASE_DIR, package).rglob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in paths)
    assert set(ERROR_CODES) - set(re.findall(r"""["'](\w+)["']""", code)) == set()
