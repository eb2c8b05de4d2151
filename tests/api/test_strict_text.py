"""Every text in every request body must be a JSON string: a number is rejected."""

from products.categories import Category
from tests import factories, pictures
from tests.contract import document, operations, takes_json

MONEY = {"price", "expected_total"}  # also taken as numbers


def texts(schema, value, pointer="", wrap=lambda value: value):
    """Yield `(pointer, body, schema)` for each text of the schema: the body has `value` for it."""
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for option in schema.get("oneOf", schema.get("allOf", ())):
        yield from texts(option, value, pointer, wrap)
    if "string" in schema.get("type", ""):
        yield pointer, wrap(value), schema
    elif schema.get("type") == "array":
        yield from texts(schema["items"], value, f"{pointer}/0", lambda item: wrap([item]))
    for name, part in schema.get("properties", {}).items():
        if name in MONEY:
            continue
        nest = lambda member, name=name: wrap({name: member})  # noqa: E731
        yield from texts(part, value, f"{pointer}/{name}", nest)


CASES = [
    (method, path, pointer, body)
    for (method, path), operation in operations().items()
    if takes_json(operation)
    for pointer, body, _ in texts(
        operation["requestBody"]["content"]["application/json"]["schema"], 1e2
    )
]


def test_all_bodies_are_covered():
    bodies = {key for key, operation in operations().items() if takes_json(operation)}
    assert {(method, path) for method, path, _, _ in CASES} == bodies - {
        ("POST", "/api/revoke-token/")
    }
    pointers = {(path, pointer) for _, path, pointer, _ in CASES}
    assert ("/api/orders/", "/shipping_address/city") in pointers
    assert ("/api/customers/me/", "/email") in pointers


def test_number_is_rejected_as_text(as_clerk, clerk, product, subtests):
    Category.objects.create(name="Tea", slug="tea")
    ids = {"products": product.pk, "orders": factories.place(clerk, {product: 1}).pk}
    for method, path, pointer, body in CASES:
        path = path.replace("{id}", str(ids.get(path.split("/")[2]))).replace("{slug}", "tea")
        path = pictures.fill_in(path, product, clerk)
        with subtests.test(method=method, path=path, pointer=pointer):
            response = getattr(as_clerk, method.lower())(path, body)
            assert response.status_code == 400
            assert pointer in {error["pointer"] for error in response.json()["errors"]}
