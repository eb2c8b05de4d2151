"""Nothing is ignored in silence: unknown members, unknown and repeated query parameters."""

import pytest

from products.categories import Category
from tests import factories, pictures
from tests.contract import operations, takes_json

BODIES = [(method, path) for (method, path), op in operations().items() if takes_json(op)]
READS = [path for method, path in operations() if method == "GET"]


def fill_in(path, product, order):
    ids = {"products": product.pk, "orders": order.pk, "customers": order.customer_id}
    path = path.replace("{id}", str(ids.get(path.split("/")[2]))).replace("{slug}", "tea")
    return pictures.fill_in(path, product, order.customer)


def errors(response):
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    return response.json()["errors"]


@pytest.fixture
def order(alice, product):
    Category.objects.create(name="Tea", slug="tea")
    return factories.place(alice, {product: 2})


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_unknown_member_is_named_by_every_endpoint(as_clerk, order, product, method, path):
    is_array = (method, path) == ("PATCH", "/api/products/")
    body = '[{"no_such": 1}]' if is_array else '{"no_such": 1}'
    response = as_clerk.generic(
        method, fill_in(path, product, order), body, content_type="application/json"
    )
    assert {
        "pointer": "/0/no_such" if is_array else "/no_such",
        "code": "unknown_field",
        "detail": "There is no field no_such.",
    } in (errors(response))


@pytest.mark.parametrize("path", [*READS, "/api/", "/api/schema/"])
def test_unknown_parameter_is_named_by_every_endpoint(as_clerk, order, product, path):
    response = as_clerk.get(fill_in(path, product, order), {"no_such": 1})
    (error,) = errors(response)
    assert (error["parameter"], error["code"]) == ("no_such", "unknown_parameter")


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_parameter_of_a_write_is_named_too(as_clerk, order, product, method, path):
    response = as_clerk.generic(
        method, f"{fill_in(path, product, order)}?dry_run=1", "{}", content_type="application/json"
    )
    assert [error["parameter"] for error in errors(response)] == ["dry_run"]


@pytest.mark.parametrize("path", READS)
def test_format_json_is_known_to_every_endpoint(as_clerk, order, product, path):
    assert as_clerk.get(fill_in(path, product, order), {"format": "json"}).status_code == 200
    (error,) = errors(as_clerk.get(fill_in(path, product, order), {"format": "xml"}))
    assert error["parameter"] == "format"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("shipping_adress", "shipping_address"),
        ("shippingAddress", "shipping_address"),
        ("expectedTotal", "expected_total"),
        ("expected_totl", "expected_total"),
        ("Items", "items"),
        ("coupon", None),
    ],
)
def test_misspelt_member_of_an_order_is_corrected(as_alice, alice, product, sent, meant):
    body = {"items": [{"product": product.pk, "quantity": 1}], sent: None}
    (error,) = errors(as_alice.post("/api/orders/", body))
    assert error["pointer"] == f"/{sent}"
    assert error["detail"].endswith(f"did you mean {meant}?" if meant else f"no field {sent}.")
    assert not alice.orders.exists()


def test_unknown_members_are_named_at_every_depth(as_alice, product):
    address = {"street_1": "Rua 1", "city": "Porto", "country": "Portugal", "postalCode": "4050"}
    items = [{"product": product.pk, "quantity": 1, "price": "1.00"}]
    response = as_alice.post("/api/orders/", {"items": items, "shipping_address": address})
    assert [error["pointer"] for error in errors(response)] == [
        "/items/0/price",
        "/shipping_address/postalCode",
    ]


def test_unknown_members_are_reported_beside_other_errors(as_clerk):
    body = {"nmae": "Cup", "price": "much"}
    assert {
        error["pointer"]: error["code"] for error in errors(as_clerk.post("/api/products/", body))
    } == {
        "/name": "required",
        "/price": "invalid",
        "/nmae": "unknown_field",
    }


def test_many_unknown_members_get_a_short_response(as_alice):
    response = as_alice.post("/api/orders/quote/", {f"{n:0500}": n for n in range(100)})
    assert len(errors(response)) == 11  # with the missing items
    assert len(response.content) < 20_000


@pytest.mark.parametrize("body", [{"items": [{"product": 1, "quantity": 1}]}, {"restock": False}])
def test_order_is_not_cancelled_by_a_body_that_asks_for_less(as_alice, order, body):
    errors(as_alice.post(f"/api/orders/{order.pk}/cancel/", body))
    order.refresh_from_db()
    assert order.status == "placed"


def test_product_can_be_sent_back_as_it_was_read(as_clerk, product):
    data = as_clerk.get(f"/api/products/{product.pk}/").json()
    for method in (as_clerk.put, as_clerk.patch):
        response = method(f"/api/products/{product.pk}/", data)
        assert response.json() == data | {"modified": response.json()["modified"]}
    copied = as_clerk.post("/api/products/", data | {"sku": "OTHER"})
    assert (copied.status_code, copied.json()["name"]) == (201, data["name"])


def test_profile_can_be_sent_back_as_it_was_read(as_alice):
    data = as_alice.get("/api/customers/me/").json()
    assert as_alice.patch("/api/customers/me/", data).json() == data


def test_order_can_be_sent_again_as_it_was_read(as_alice, order):
    data = as_alice.get(f"/api/orders/{order.pk}/").json()
    again = as_alice.post("/api/orders/", data)
    assert again.status_code == 201
    ignored = ("id", "created", "modified", "events")
    assert {**again.json(), **dict.fromkeys(ignored)} == {**data, **dict.fromkeys(ignored)}


@pytest.mark.parametrize(
    ("path", "query", "meant"),
    [
        ("products", "serach=cup", "search"),
        ("products", "page_size=10", None),
        ("products", "limit=10", None),
        ("products", "fields=name", None),
        ("products", "minPrice=1", "min_price"),
        ("orders", "page=2", None),
        ("orders", "modified_afer=2026-01-01", "modified_after"),
    ],
)
def test_misspelt_parameter_is_corrected(as_alice, path, query, meant):
    (error,) = errors(as_alice.get(f"/api/{path}/?{query}"))
    assert (error["parameter"], error["code"]) == (query.partition("=")[0], "unknown_parameter")
    assert meant is None or f"did you mean {meant}" in error["detail"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("products", "page=1&page=2"),
        ("products", "search=a&search=b"),
        ("products", "in_stock=true&in_stock=false"),
        ("orders", "items_per_page=5&items_per_page=6"),
        ("orders", "customer=1&customer=2"),
        ("customers", "page=1&page=1"),
    ],
)
def test_parameter_that_takes_one_value_is_sent_once(as_clerk, path, query):
    (error,) = errors(as_clerk.get(f"/api/{path}/?{query}"))
    assert (error["parameter"], error["code"]) == (query.partition("=")[0], "repeated")


@pytest.mark.parametrize("query", ["status=placed&status=shipped", "status=placed,shipped"])
def test_orders_of_several_statuses_are_listed(as_alice, as_clerk, alice, product, query):
    orders = [factories.place(alice, {product: 1}) for _ in range(3)]
    as_clerk.post(f"/api/orders/{orders[0].pk}/confirm/")
    as_clerk.post(f"/api/orders/{orders[1].pk}/confirm/")
    as_clerk.post(f"/api/orders/{orders[1].pk}/ship/")
    listed = as_alice.get(f"/api/orders/?{query}").json()["results"]
    assert [order["id"] for order in listed] == [orders[2].pk, orders[1].pk]


def test_unknown_header_is_ignored(as_alice):
    assert as_alice.get("/api/orders/", headers={"X-No-Such": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("query", "media_type"),
    [
        ("format=json", "application/vnd.oai.openapi+json"),
        ("format=yaml", "application/vnd.oai.openapi"),
        ("format=json&lang=en&version=1.0.0", "application/vnd.oai.openapi+json"),
    ],
)
def test_schema_takes_the_parameters_of_drf_spectacular(api, query, media_type):
    response = api.get(f"/api/schema/?{query}")
    assert response.headers["Content-Type"].split(";")[0] == media_type


@pytest.mark.parametrize("path", ["/api/orders/", "/api/changes/", "/api/products/"])
def test_method_that_is_not_allowed_is_a_405_whatever_the_parameters(as_clerk, path):
    assert as_clerk.generic("TRACE", f"{path}?no_such=1").status_code == 405
