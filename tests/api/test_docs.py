import re

import pytest

from orders.transitions import Status
from products.models import Product
from tests import factories, pictures
from tests.contract import document, operations, takes_json

# Members whose values differ from run to run.
VARYING_MEMBERS = {
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
    "images",
}
KEY = {"Idempotency-Key": "2b1f6c0e-6d0f-4c55-a3f1-0a4f6f4f8a37"}
ORDER = {"items": [{"product": 1, "quantity": 2}, {"product": 14, "quantity": 1}]}
LENA_PATHS = {f"/api/customers/me/{name}" for name in ("", "close/", "password/")} | {
    "/api/orders/"
}


def test_root_redirects_to_the_docs(client):
    assert client.get("/")["Location"] == "/api/docs/"


def test_swagger_ui_loads_only_from_this_server(client):
    page = client.get("/api/docs/").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) >= 4
    for source in sources:
        assert source.startswith(("/static/", "/api/docs/"))
        response = client.get(source)
        assert response.status_code == 200
        assert b"".join(response) if response.streaming else response.content
    assert "<script>" not in page


def test_padlocks_are_hidden_where_a_log_in_is_optional(client):
    """Fails if a Swagger UI renames its components: check the padlocks by eye then."""
    page = client.get("/api/docs/").content.decode()
    sources = re.findall(r'src="([^"]+)"', page)
    assert "wrapComponents: { OperationSummary:" in client.get(sources[-1]).content.decode()
    bundle = b"".join(client.get(sources[0])).decode()
    summary = re.search(r"class OperationSummary extends.{,1500}", bundle).group()
    assert '.get("security")' in summary


def test_operation_that_needs_no_log_in_says_so():
    optional = [
        operation for operation in operations().values() if {} in operation.get("security", [])
    ]
    assert len(optional) == 8
    for operation in optional:
        assert re.search("Anyone|(no|without a) log-in", operation["description"], re.IGNORECASE)


def test_schema_is_served_as_yaml_and_json(client):
    assert client.get("/api/schema/").content.startswith(b"openapi: 3.1.1")
    as_json = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert as_json.json()["info"]["title"] == "shopply"


def test_schema_lists_both_ways_to_log_in(client):
    document = client.get(
        "/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}
    ).json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["Token"]["name"] == "Authorization"
    assert schemes["Basic"]["scheme"] == "basic"


def test_schema_has_the_limits_of_the_shop():
    schemas = document()["components"]["schemas"]
    order = schemas["PlaceOrderRequest"]["properties"]
    assert (order["items"]["minItems"], order["items"]["maxItems"]) == (1, 100)
    assert not re.search(order["expected_total"]["pattern"], "-1.00")
    for component, field in (
        ("CustomerCreateRequest", "password"),
        ("PasswordRequest", "new_password"),
    ):
        password = schemas[component]["properties"][field]
        assert (password["minLength"], password["maxLength"]) == (10, 256)
    stock = schemas["ProductCreateRequest"]["properties"]["quantity_in_stock"]
    assert (stock["minimum"], stock["maximum"]) == (0, 1_000_000_000)
    parameters = {
        parameter["name"]: parameter["schema"]
        for path in ("/api/products/", "/api/orders/")
        for parameter in operations()["GET", path]["parameters"]
    }
    assert set(parameters["status"]["items"]["enum"]) == set(Status.values)
    assert parameters["min_price"]["pattern"] == parameters["max_price"]["pattern"]
    assert re.search(parameters["min_price"]["pattern"], "11.90")
    assert parameters["search"]["maxLength"] == 200
    assert parameters["ordering"]["minItems"] == 1


def request_examples():
    for (method, path), operation in operations().items():
        if path.endswith("/confirm-email/"):  # a link is of one moment
            continue
        content = operation.get("requestBody", {}).get("content", {})
        for media_type in content.values() if takes_json(operation) else ():
            for name, example in media_type["examples"].items():
                yield method, path, name, example["value"]


def test_request_example_works_on_the_demo_shop(
    demo_shop, api, django_user_model, isolated_subtest
):
    clients = {
        name: api.as_user(django_user_model.objects.get(username=name))
        for name in ("admin", "lena")
    }
    for method, path, name, body in request_examples():
        with isolated_subtest(method=method, path=path, name=name):
            client = clients["lena" if path in LENA_PATHS else "admin"]
            pk = 1
            if path.startswith("/api/orders/"):
                pk = clients["lena"].post("/api/orders/", ORDER).json()["id"]
                for transition in factories.PRIOR_TRANSITIONS.get(path.split("/")[-2], []):
                    clients["admin"].post(f"/api/orders/{pk}/{transition}/")
            if isinstance(body, dict) and {"uid", "new_password"} <= body.keys():
                body |= factories.reset_link(django_user_model.objects.get(username="lena"))
            path = path.replace("{id}", str(pk)).replace("{slug}", "paper-filters")
            path = pictures.fill_in(path, Product.objects.first(), None)
            response = getattr(client, method.lower())(path, body)
            assert response.status_code in (200, 201, 202, 204), response.json()


def response_examples():
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            # The feed shows what is committed: see tests/changes.
            if method == "GET" and status == "200" and path != "/api/changes/":
                for example in response["content"]["application/json"]["examples"].values():
                    yield pytest.param(path, example["value"], id=path)


@pytest.mark.parametrize(("path", "example"), list(response_examples()))
def test_response_example_is_what_the_demo_shop_returns(
    path, example, demo_shop, api, django_user_model
):
    lena = api.as_user(django_user_model.objects.get(username="lena"))
    product_before = lena.get("/api/products/1/").json()
    order_id = lena.post("/api/orders/", ORDER, headers=KEY).json()["id"]
    pk = {"orders": order_id, "customers": 2, "products": 1}.get(path.split("/")[2])
    admin = api.as_user(django_user_model.objects.get(username="admin"))
    client = admin if path.endswith("stock-history/") else lena
    data = client.get(path.replace("{id}", str(pk)).replace("{slug}", "paper-filters")).json()
    if "results" in data:
        data, example = data["results"], example["results"]
    if isinstance(data, list):
        data, example = data[0], example[0]
    if "products" in path and "stock-history" not in path:
        data = product_before
    assert {k: v for k, v in data.items() if k not in VARYING_MEMBERS} == {
        k: v for k, v in example.items() if k not in VARYING_MEMBERS
    }
    assert data.keys() == example.keys()
