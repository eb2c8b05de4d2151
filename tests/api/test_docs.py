import re

import pytest
from django.core.management import call_command

from tests.contract import operations

OWN = {"created", "modified", "date_joined", "id", "token"}


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


def test_schema_is_served_as_yaml_and_json(client):
    assert client.get("/api/schema/").content.startswith(b"openapi: 3.1.1")
    as_json = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert as_json.json()["info"]["title"] == "shopply"


def test_both_ways_to_log_in_are_offered(client):
    document = client.get("/api/schema/?format=json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["Token"]["name"] == "Authorization"
    assert schemes["Basic"]["scheme"] == "basic"


def request_examples():
    for (method, path), operation in operations().items():
        content = operation.get("requestBody", {}).get("content", {})
        for media_type in content.values():
            for name, example in media_type["examples"].items():
                yield pytest.param(method, path, example["value"], id=f"{method} {path} {name}")


@pytest.fixture
def demo_shop(db):
    call_command("load_demo")


def whoever_may(api, django_user_model, path):
    name = "admin" if path.startswith("/api/products/") else "lena"
    return api.of(django_user_model.objects.get(username=name))


@pytest.mark.parametrize(("method", "path", "body"), list(request_examples()))
def test_request_example_works_on_the_demo_shop(
    method, path, body, demo_shop, api, django_user_model
):
    client = whoever_may(api, django_user_model, path)
    answer = getattr(client, method.lower())(path.replace("{id}", "1"), body)
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
    order = {"items": [{"product": 1, "quantity": 2}, {"product": 14, "quantity": 1}]}
    product_before = lena.get("/api/products/1/").json()
    number = lena.post("/api/orders/", order).json()["id"]
    pk = {"orders": number, "customers": 2, "products": 1}[path.split("/")[2]]
    answer = lena.get(path.replace("{id}", str(pk))).json()
    if "{id}" not in path and isinstance(answer, dict) and "results" in answer:
        answer, example = answer["results"], example["results"]
    if isinstance(answer, list):
        answer, example = answer[0], example[0]
    if path.startswith("/api/products/"):
        answer = product_before
    assert {k: v for k, v in answer.items() if k not in OWN} == {
        k: v for k, v in example.items() if k not in OWN
    }
    assert answer.keys() == example.keys()
