"""The OpenAPI document as the server returns it."""

import json

import pytest
import yaml

from shopply.api import views

JSON = "application/vnd.oai.openapi+json"


@pytest.fixture(autouse=True)
def clear_schema_cache():
    views.render_schema.cache_clear()


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
