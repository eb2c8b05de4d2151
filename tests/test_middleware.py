import pytest

from tests import factories


@pytest.mark.parametrize("given", ["order-17.retry_2", "a" * 64])
def test_sane_request_id_is_kept(api, given):
    assert api.get("/api/products/", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "<script>", "line\nbreak", "ü"])
def test_other_request_id_is_replaced(api, given):
    answer = api.get("/api/products/", headers={"X-Request-ID": given})
    assert len(answer["X-Request-ID"]) == 32


def test_requests_are_told_apart(api):
    ids = {api.get(path)["X-Request-ID"] for path in ("/api/", "/api/", "/admin/", "/nope")}
    assert len(ids) == 4


@pytest.mark.parametrize("debug", [False, True])
def test_slash_at_the_end_may_be_left_out(as_alice, product, settings, debug):
    settings.DEBUG = debug
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    placed = as_alice.post("/api/orders", body)
    assert placed.status_code == 201
    assert as_alice.get(f"/api/orders/{placed.json()['id']}").status_code == 200
    assert as_alice.get("/api/docs").status_code == as_alice.get("/api").status_code == 200


def test_links_of_a_page_have_the_slash(api):
    factories.products.make(_quantity=6)
    assert "/api/products/?page=2" in api.get("/api/products").json()["next"]


def test_what_only_begins_like_the_api_is_left_alone(api):
    answer = api.get("/apiary")
    assert (answer.status_code, answer.wsgi_request.path) == (404, "/apiary")
