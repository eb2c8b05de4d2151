"""Clients cannot set read-only fields: each test sends all of those of one operation."""

import pytest

from customers.models import Customer
from orders.models import Order
from products.categories import Category
from products.models import Product, StockAdjustment
from tests import factories, pictures
from tests.api.test_documented_responses import GOOD
from tests.contract import document, operations, takes_json

# Fields that rows have and the OpenAPI document does not list.
HIDDEN = {
    "customers": (
        "is_superuser",
        "is_active",
        "groups",
        "user_permissions",
        "closed",
        "last_login",
    ),
    "products": ("currency", "in_stock"),
    "orders": (
        "staff_note",
        "idempotency_key",
        "fingerprint",
        "unit_price",
        "line_total",
        "customer_id",
    ),
    "obtain-token": ("user", "key"),
}
# A value for each name that it never has otherwise.
ODD = {
    "id": 987654321,
    "pk": 987654321,
    "email_confirmed": 987654321,
    "new_email": 987654321,
    "is_staff": True,
    "is_superuser": True,
    "is_active": False,
    "groups": [1],
    "user_permissions": [1],
    "date_joined": "2001-01-01T00:00:00Z",
    "last_login": "2001-01-01T00:00:00Z",
    "closed": "2001-01-01T00:00:00Z",
    "created": "2001-01-01T00:00:00Z",
    "modified": "2001-01-01T00:00:00Z",
    "username": "root",
    "currency": "XTS",
    "in_stock": "plenty",
    "quantity_in_stock": 987654321,
    "actor": 987654321,
    "status": "refunded",
    "customer": 987654321,
    "placed_by": 987654321,
    "note": 987654321,
    "reference": 987654321,
    "carrier": 987654321,
    "tracking_number": 987654321,
    "tracking_url": 987654321,
    "staff_note": 987654321,
    "customer_id": 987654321,
    "user": 987654321,
    "total_price": "0.01",
    "unit_price": "0.01",
    "line_total": "0.01",
    "actions": ["refund"],
    "events": [],
    "idempotency_key": "of the body",
    "fingerprint": "of the body",
    "token": "0123456789",
    "expires": "2001-01-01T00:00:00Z",
    "key": "0123456789",
    "items": [],
    "product_count": 987654321,
    "children": ["refund"],
    "images": [987654321],
    "url": "http://root.example/",
    "thumbnail_url": "http://root.example/",
    "width": 987654321,
    "height": 987654321,
    "shipping_address": {"name": "Eve", "street_1": "-", "city": "-", "country": "-"},
}


def get_properties(content):
    schema = content["application/json"]["schema"]
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema.get("properties", {})


def read_only_cases():
    """Yield each operation with a body, and the fields that only its response or its rows have."""
    for (method, path), operation in operations().items():
        # Closing changes the rows, and what confirms an address is a link. For rows that are sent
        # back to a list see test_bulk_update.
        if (method, path) == ("PATCH", "/api/products/"):
            continue
        if not takes_json(operation) or path.endswith(("/close/", "/confirm-email/")):
            continue
        request_fields = get_properties(operation["requestBody"]["content"])
        response_fields = {}
        for status in ("200", "201"):
            response_fields |= get_properties(
                operation["responses"].get(status, {}).get("content", EMPTY)
            )
        read_only_fields = response_fields.keys() - request_fields.keys()
        hidden_fields = {*HIDDEN.get(path.split("/")[2], ()), "pk"} - request_fields.keys()
        fields = sorted(read_only_fields | hidden_fields)
        yield pytest.param(method, path, fields, read_only_fields, id=f"{method} {path}")


EMPTY = {"application/json": {"schema": {}}}


@pytest.mark.parametrize(("method", "path", "fields", "read_only_fields"), [*read_only_cases()])
def test_read_only_fields_change_nothing(method, path, fields, read_only_fields, api, alice, clerk):
    """Those of the response are accepted and change nothing; hidden ones are a 400."""
    alice.change_password(factories.PASSWORD)
    role, body = GOOD[method, path]
    client = api if role == "anyone" else api.as_user({"alice": alice, "clerk": clerk}[role])
    product = factories.products.make(quantity_in_stock=50)
    order = factories.place(alice, {product: 1})
    transitions = factories.PRIOR_TRANSITIONS.get(path.split("/")[-2], [])
    factories.make_transitions(order, transitions, by=clerk)
    pk = order.pk if "orders" in path else product.pk
    if "items" in body:
        body = {"items": [{"product": product.pk, "quantity": 1} | odd("unit_price", "line_total")]}
    if {"uid", "new_password"} <= body.keys():
        body = body | factories.reset_link(alice)
    Category.objects.create(name="Tea", slug="tea")
    url = path.replace("{id}", str(pk)).replace("{slug}", "tea")
    url = pictures.fill_in(url, product, clerk)
    known = set(fields)
    while True:
        response = getattr(client, method.lower())(url, body | odd(*known))
        if response.status_code < 300:
            break
        entries = response.json()["errors"]
        assert {entry["code"] for entry in entries} == {"unknown_field"}
        known -= {entry["pointer"].removeprefix("/") for entry in entries}
    is_transition = path.startswith("/api/orders/{id}/")
    assert known == (set() if is_transition else set(read_only_fields))
    data = response.json() if response.content else {}
    for field in fields:
        assert data.get(field, ...) != ODD[field], field
    models = (Customer, Product, StockAdjustment, Order)
    rows = str([list(model.objects.values_list()) for model in models])
    for word in (
        "987654321",
        "datetime(2001",
        "'root'",
        "'XTS'",  # quoted, since a password hash may contain these letters
        "'refund",
        "of the body",
        "'Eve'",
        "0123456789",
    ):
        assert word not in rows
    assert Customer.objects.filter(is_staff=True).get() == clerk
    assert not Customer.objects.filter(is_superuser=True).exists()
    assert Customer.objects.filter(is_active=True).count() == Customer.objects.count()


def odd(*fields):
    return {field: ODD[field] for field in fields}
