import re

import pytest

from orders.transitions import Status
from tests.contract import document, operations

# What differs from run to run.
OWN = {
    "created",
    "modified",
    "date_joined",
    "id",
    "token",
    "at",
    "order",
    "events",
    "orders",
    "idempotency_keys",
}
KEY = {"Idempotency-Key": "2b1f6c0e-6d0f-4c55-a3f1-0a4f6f4f8a37"}
ORDER = {"items": [{"product": 1, "quantity": 2}, {"product": 14, "quantity": 1}]}
LENAS = {f"/api/customers/me/{name}" for name in ("", "close/", "password/")} | {"/api/orders/"}


def test_front_door_leads_to_the_docs(client):
    assert client.get("/")["Location"] == "/api/docs/"


def test_swagger_ui_needs_nothing_from_elsewhere(client):
    page = client.get("/api/docs/").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) >= 4
    for source in sources:
        assert source.startswith(("/static/", "/api/docs/"))
        answer = client.get(source)
        assert answer.status_code == 200
        assert b"".join(answer) if answer.streaming else answer.content
    assert "<script>" not in page


def test_padlocks_are_left_out_where_a_log_in_is_optional(client):
    """A Swagger UI that names its parts anew fails here: look at its padlocks then."""
    page = client.get("/api/docs/").content.decode()
    sources = re.findall(r'src="([^"]+)"', page)
    assert "wrapComponents: { OperationSummary:" in client.get(sources[-1]).content.decode()
    bundle = b"".join(client.get(sources[0])).decode()
    summary = re.search(r"class OperationSummary extends.{,1500}", bundle).group()
    assert '.get("security")' in summary


def test_operation_that_needs_no_log_in_says_so():
    optional = [each for each in operations().values() if {} in each.get("security", [])]
    assert len(optional) == 5
    for operation in optional:
        assert re.search("Anyone|(no|without a) log-in", operation["description"], re.IGNORECASE)


def test_schema_is_served_as_yaml_and_json(client):
    assert client.get("/api/schema/").content.startswith(b"openapi: 3.1.1")
    as_json = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert as_json.json()["info"]["title"] == "shopply"


def test_both_ways_to_log_in_are_offered(client):
    document = client.get(
        "/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}
    ).json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["Token"]["name"] == "Authorization"
    assert schemes["Basic"]["scheme"] == "basic"


def test_document_bounds_what_the_shop_bounds():
    schemas = document()["components"]["schemas"]
    order = schemas["PlaceOrderRequest"]["properties"]
    assert (order["items"]["minItems"], order["items"]["maxItems"]) == (1, 100)
    assert not re.search(order["expected_total"]["pattern"], "-1.00")
    for form, field in (("CustomerCreateRequest", "password"), ("PasswordRequest", "new_password")):
        password = schemas[form]["properties"][field]
        assert (password["minLength"], password["maxLength"]) == (10, 256)
    stock = schemas["ProductCreateRequest"]["properties"]["quantity_in_stock"]
    assert (stock["minimum"], stock["maximum"]) == (0, 1_000_000_000)
    parameters = {
        parameter["name"]: parameter["schema"]
        for path in ("/api/products/", "/api/orders/")
        for parameter in operations()["GET", path]["parameters"]
    }
    assert set(parameters["status"]["enum"]) == set(Status.values)
    assert parameters["min_price"]["pattern"] == parameters["max_price"]["pattern"]
    assert re.search(parameters["min_price"]["pattern"], "11.90")
    assert parameters["search"]["maxLength"] == 200
    assert parameters["ordering"]["minItems"] == 1


def request_examples():
    for (method, path), operation in operations().items():
        content = operation.get("requestBody", {}).get("content", {})
        for media_type in content.values():
            for name, example in media_type["examples"].items():
                yield pytest.param(method, path, example["value"], id=f"{method} {path} {name}")


@pytest.mark.parametrize(("method", "path", "body"), list(request_examples()))
def test_request_example_works_on_the_demo_shop(
    method, path, body, demo_shop, api, django_user_model
):
    clients = {
        name: api.of(django_user_model.objects.get(username=name)) for name in ("admin", "lena")
    }
    client = clients["lena" if path in LENAS else "admin"]
    number = 1
    if path.startswith("/api/orders/"):
        number = clients["lena"].post("/api/orders/", ORDER).json()["id"]
        for move in {"ship": ["confirm"], "deliver": ["confirm", "ship"]}.get(
            path.split("/")[-2], []
        ):
            clients["admin"].post(f"/api/orders/{number}/{move}/")
    answer = getattr(client, method.lower())(path.replace("{id}", str(number)), body)
    assert answer.status_code in (200, 201, 204), answer.json()


def response_examples():
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            if method == "GET" and status == "200":
                for example in response["content"]["application/json"]["examples"].values():
                    yield pytest.param(path, example["value"], id=path)


@pytest.mark.parametrize(("path", "example"), list(response_examples()))
def test_response_example_is_what_the_demo_shop_answers(
    path, example, demo_shop, api, django_user_model
):
    lena = api.of(django_user_model.objects.get(username="lena"))
    product_before = lena.get("/api/products/1/").json()
    number = lena.post("/api/orders/", ORDER, headers=KEY).json()["id"]
    pk = {"orders": number, "customers": 2, "products": 1}[path.split("/")[2]]
    admin = api.of(django_user_model.objects.get(username="admin"))
    client = admin if path.endswith("stock-history/") else lena
    answer = client.get(path.replace("{id}", str(pk))).json()
    if "results" in answer:
        answer, example = answer["results"], example["results"]
    if isinstance(answer, list):
        answer, example = answer[0], example[0]
    if "products" in path and "stock-history" not in path:
        answer = product_before
    assert {k: v for k, v in answer.items() if k not in OWN} == {
        k: v for k, v in example.items() if k not in OWN
    }
    assert answer.keys() == example.keys()
