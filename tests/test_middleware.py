import pytest

from tests import factories


@pytest.mark.parametrize("request_id", ["order-17.retry_2", "a" * 64])
def test_valid_request_id_is_kept(api, request_id):
    assert (
        api.get("/api/products/", headers={"X-Request-ID": request_id})["X-Request-ID"]
        == request_id
    )


@pytest.mark.parametrize("request_id", ["", "a" * 65, "two words", "<script>", "line\nbreak", "ü"])
def test_invalid_request_id_is_replaced(api, request_id):
    response = api.get("/api/products/", headers={"X-Request-ID": request_id})
    assert len(response["X-Request-ID"]) == 32


def test_requests_have_different_ids(api):
    ids = {api.get(path)["X-Request-ID"] for path in ("/api/", "/api/", "/admin/", "/nope")}
    assert len(ids) == 4


@pytest.mark.parametrize("debug", [False, True])
def test_trailing_slash_is_optional(as_alice, product, settings, debug):
    settings.DEBUG = debug
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    response = as_alice.post("/api/orders", body)
    assert response.status_code == 201
    assert as_alice.get(f"/api/orders/{response.json()['id']}").status_code == 200
    assert as_alice.get("/api/docs").status_code == as_alice.get("/api").status_code == 200


def test_pagination_links_have_the_trailing_slash(api):
    factories.products.make(_quantity=6)
    assert "/api/products/?page=2" in api.get("/api/products").json()["next"]


def test_path_that_only_starts_like_the_api_is_left_alone(api):
    response = api.get("/apiary")
    assert (response.status_code, response.wsgi_request.path) == (404, "/apiary")
