import pytest

from products.models import Product
from tests import factories

DATA = {"name": "Mocha Sanani", "sku": "COF-YEM-250", "price": "15.80", "quantity_in_stock": 12}


def errors(response):
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def test_staff_add_a_product_with_its_opening_stock(as_clerk):
    response = as_clerk.post("/api/products/", DATA | {"description": "From Haraz."})
    assert response.status_code == 201
    assert response.json() == as_clerk.get(f"/api/products/{response.json()['id']}/").json()
    assert response.json()["quantity_in_stock"] == 12
    assert response.json()["description"] == "From Haraz."


def test_omitted_fields_have_their_defaults(as_clerk):
    data = as_clerk.post("/api/products/", {"name": "Cup", "sku": "C", "price": "3"}).json()
    assert data == data | {
        "description": "",
        "price": "3.00",
        "quantity_in_stock": 0,
        "is_active": True,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, {"/name": "blank"}),
        ({"name": "x" * 201}, {"/name": "max_length"}),
        ({"name": "  "}, {"/name": "blank"}),
        ({"name": 7}, {"/name": "invalid"}),
        ({"description": 1e2}, {"/description": "invalid"}),
        ({"sku": ""}, {"/sku": "blank"}),
        ({"sku": "S" * 40 + " "}, {"/sku": "max_length"}),
        ({"price": "-0.01"}, {"/price": "min_value"}),
        ({"price": "1.999"}, {"/price": "max_decimal_places"}),
        ({"price": "99999999999.99"}, {"/price": "max_digits"}),
        ({"price": "dear"}, {"/price": "invalid"}),
        ({"price": "NaN"}, {"/price": "invalid"}),
        ({"price": "Infinity"}, {"/price": "invalid"}),
        ({"price": None}, {"/price": "null"}),
        ({"price": 15.899}, {"/price": "max_decimal_places"}),
        ({"price": True}, {"/price": "invalid"}),
        ({"price": "1_0"}, {"/price": "invalid"}),
        ({"price": "１"}, {"/price": "invalid"}),
        ({"price": " 1 "}, {"/price": "invalid"}),
        ({"price": "1\n"}, {"/price": "invalid"}),
        ({"price": "1e1"}, {"/price": "invalid"}),
        ({"price": ".5"}, {"/price": "invalid"}),
        ({"price": "007"}, {"/price": "invalid"}),
        ({"price": "-0.00"}, {"/price": "min_value"}),
        ({"quantity_in_stock": -1}, {"/quantity_in_stock": "min_value"}),
        ({"quantity_in_stock": 1_000_000_001}, {"/quantity_in_stock": "max_value"}),
        ({"quantity_in_stock": "12"}, {"/quantity_in_stock": "invalid"}),
        ({"quantity_in_stock": 1.0}, {"/quantity_in_stock": "invalid"}),
        ({"quantity_in_stock": True}, {"/quantity_in_stock": "invalid"}),
        ({"is_active": "perhaps"}, {"/is_active": "invalid"}),
        ({"is_active": "true"}, {"/is_active": "invalid"}),
        ({"is_active": 1}, {"/is_active": "invalid"}),
        ({"is_active": []}, {"/is_active": "invalid"}),
    ],
)
def test_bad_field_is_named(as_clerk, changes, expected):
    response = as_clerk.post("/api/products/", DATA | changes)
    assert response.status_code == 400
    assert errors(response) == expected
    assert not Product.objects.exists()


def test_sku_of_another_product_is_taken(as_clerk):
    factories.products.make(sku=DATA["sku"])
    assert errors(as_clerk.post("/api/products/", DATA)) == {"/sku": "unique"}


@pytest.mark.parametrize("body", [[], "a product", 7, None, [DATA]])
def test_body_that_is_not_an_object_is_refused(as_clerk, body):
    assert as_clerk.post("/api/products/", body).status_code == 400


def test_sku_is_optional(as_clerk):
    for sku_fields in ({}, {"sku": None}):
        response = as_clerk.post("/api/products/", {"name": "Cup", "price": "3.00"} | sku_fields)
        assert (response.status_code, response.json()["sku"]) == (201, None)


def test_sku_is_taken_whatever_its_case(as_clerk):
    factories.products.make(sku="Cup-1")
    response = as_clerk.post("/api/products/", DATA | {"sku": "CUP-1"})
    assert errors(response) == {"/sku": "unique"}
