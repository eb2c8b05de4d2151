"""A write with If-Match succeeds only if nobody edited the product since its ETag was sent."""

import pytest

from products.models import Product
from tests import factories
from tests.forms import submit

PUT = {"name": "Moka", "sku": "M-1", "price": "9.00"}


@pytest.fixture
def path(product):
    return f"/api/products/{product.pk}/"


@pytest.fixture
def etag(as_clerk, path):
    return as_clerk.get(path)["ETag"]


def write(client, method, path, etag):
    body = {"put": PUT, "patch": {"price": "9.00"}, "delete": None}[method]
    return getattr(client, method)(path, body, headers={"If-Match": etag})


METHODS = pytest.mark.parametrize("method", ["put", "patch", "delete"])


@METHODS
def test_write_with_the_current_etag_succeeds(as_clerk, path, etag, method):
    assert write(as_clerk, method, path, etag).status_code == (204 if method == "delete" else 200)


@METHODS
def test_write_with_the_etag_from_before_an_edit_changes_nothing(as_clerk, path, etag, method):
    as_clerk.patch(path, {"name": "Changed"})
    response = write(as_clerk, method, path, etag)
    assert (response.status_code, response.json()["code"]) == (412, "precondition_failed")
    product = Product.objects.get()
    assert (product.name, product.price, product.revision) == ("Changed", 12.5, 2)


@METHODS
def test_changes_of_the_stock_spoil_no_edit(as_clerk, alice, product, path, etag, method):
    if method != "delete":  # a product that was ordered stays
        factories.place(alice, {product: 3})
    as_clerk.post(f"{path}adjust-stock/", {"delta": 5, "reason": "delivery"})
    as_clerk.patch(path, {"quantity_in_stock": 77})
    assert as_clerk.get(path)["ETag"] != etag
    assert write(as_clerk, method, path, etag).status_code < 300


def test_stocktake_compares_the_revision(as_clerk, product, path, etag):
    count = {"quantity_in_stock": 50}
    assert as_clerk.patch(path, count, headers={"If-Match": etag}).status_code == 200
    as_clerk.patch(path, {"name": "Changed"})
    count = {"quantity_in_stock": 40}
    assert as_clerk.patch(path, count, headers={"If-Match": etag}).status_code == 412
    product.refresh_from_db()
    assert product.quantity_in_stock == 50


@pytest.mark.parametrize("body", [PUT, {"price": "9.00"}, {"quantity_in_stock": 3}, {}])
def test_response_of_an_edit_has_the_etag_of_the_next(as_clerk, path, body):
    response = (as_clerk.put if body == PUT else as_clerk.patch)(path, body)
    assert response["ETag"] == as_clerk.get(path)["ETag"]
    assert write(as_clerk, "patch", path, response["ETag"]).status_code == 200


def test_edit_in_the_admin_counts(as_clerk, in_the_admin, product, path, etag):
    page = f"/admin/products/product/{product.pk}/change/"
    assert submit(in_the_admin, page, name="Moka").status_code == 302
    assert write(as_clerk, "patch", path, etag).status_code == 412


@pytest.mark.parametrize(
    "header", ["W/{etag}", '"other", {etag}', ' {etag} ,W/"b",', ', ,"",{etag}', "*", " * "]
)
def test_if_match_is_parsed_as_http_specifies(as_clerk, path, etag, header):
    assert write(as_clerk, "patch", path, header.format(etag=etag)).status_code == 200


@pytest.mark.parametrize("header", ['"other"', '""', 'W/"1"', '"1.0"', '"a,b"', '"*"'])
def test_etag_that_the_shop_never_sent_is_a_412(as_clerk, path, header):
    assert write(as_clerk, "patch", path, header).status_code == 412


def test_etag_of_a_list_has_no_revision(as_clerk, path):
    assert write(as_clerk, "patch", path, as_clerk.get("/api/products/")["ETag"]).status_code == 412


@METHODS
@pytest.mark.parametrize(
    "header", ["", ",", "1", '"', '"1.0', "1.0", 'w/"1.0"', '"1.0" "1.1"', '*, "1.0"', "**", "W/1"]
)
def test_malformed_header_is_named(as_clerk, product, path, header, method):
    response = write(as_clerk, method, path, header)
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert [error["header"] for error in response.json()["errors"]] == ["If-Match"]
    product.refresh_from_db()
    assert product.revision == 1


def test_long_header_is_parsed_in_time(as_clerk, path):
    for header in (", " * 4_000, '"1.0",' * 4_000 + "x", "W/" * 4_000, '""' * 4_000):
        assert write(as_clerk, "patch", path, header).status_code == 400


@METHODS
def test_product_that_is_gone_is_not_found(as_clerk, path, product, method):
    product.delete()
    for header in ("*", '"1.0"'):
        assert write(as_clerk, method, path, header).status_code == 404


@pytest.mark.parametrize("path", ["/api/products/", "/api/products/{pk}/"])
def test_read_with_another_etag_is_a_412(api, product, path):
    path = path.format(pk=product.pk)
    etag = api.get(path)["ETag"]
    assert api.get(path, headers={"If-Match": etag}).status_code == 200
    response = api.get(path, headers={"If-Match": '"1.0"'})
    assert (response.status_code, response.json()["code"]) == (412, "precondition_failed")


def test_revision_is_no_field_of_the_response(as_clerk, path):
    assert "revision" not in as_clerk.get(path).json()
    assert "revision" not in as_clerk.get("/api/products/").json()["results"][0]
