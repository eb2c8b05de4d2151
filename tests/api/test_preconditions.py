"""A write that does not compare revisions rejects If-Match: the client would rely on it."""

import pytest

from tests.contract import operations

PRODUCT = "/api/products/{id}/"
CATEGORY = "/api/categories/{slug}/"
COMPARED = {
    *((method, PRODUCT) for method in ("PUT", "PATCH", "DELETE")),
    *((method, CATEGORY) for method in ("PATCH", "DELETE")),
}
WRITES = [key for key in operations() if key[0] != "GET"]


def assert_not_supported(client, method, path, header, etag):
    path = path.replace("{id}", "1").replace("{slug}", "tea").replace("{image}", "1")
    response = getattr(client, method.lower())(path, {}, headers={header: etag})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert [error["header"] for error in response.json()["errors"]] == [header]


@pytest.mark.parametrize("etag", ["*", '"1.0"'])
def test_if_none_match_with_a_write_is_a_bad_request(as_clerk, etag, subtests):
    for method, path in WRITES:
        with subtests.test(method=method, path=path):
            assert_not_supported(as_clerk, method, path, "If-None-Match", etag)


@pytest.mark.parametrize("etag", ["*", '"1.0"', ""])
def test_if_match_that_is_not_compared_is_a_bad_request(as_clerk, etag, subtests):
    for method, path in [key for key in WRITES if key not in COMPARED]:
        with subtests.test(method=method, path=path):
            assert_not_supported(as_clerk, method, path, "If-Match", etag)


def test_operations_that_compare_it_document_it():
    documented = {
        key
        for key, operation in operations().items()
        if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", []))
    }
    assert documented == COMPARED


def test_if_match_outside_of_the_api_is_ignored(in_the_admin):
    response = in_the_admin.post("/admin/products/product/add/", headers={"If-Match": "*"})
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/api/orders/1/", "/api/products/", "/api/obtain-token/"])
def test_method_that_is_not_allowed_is_a_405_with_if_match_too(as_clerk, path):
    for method in ("DELETE", "TRACE"):
        response = as_clerk.generic(method, path, headers={"If-Match": "*"})
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
