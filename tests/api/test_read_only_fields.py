"""Fields that are not the caller's to set: written to, in every operation that takes a body."""

import pytest

from customers.models import Customer
from orders.models import Order
from products.models import Product, StockAdjustment
from tests import factories
from tests.api.test_documented_answers import GOOD
from tests.contract import document, operations

# What no document lists, but a row has.
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
    "orders": ("idempotency_key", "fingerprint", "unit_price", "line_total", "customer_id"),
    "obtain-token": ("user", "key"),
}
# Of each name one value that it never has by itself.
ODD = {
    "id": 987654321,
    "pk": 987654321,
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
    "key": "0123456789",
    "items": [],
    "shipping_address": {"name": "Eve", "street_1": "-", "city": "-", "country": "-"},
}


def schema_at(content):
    schema = content["application/json"]["schema"]
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema.get("properties", {})


def not_to_be_set():
    """Every operation with a body, with what its answer and its rows have and its body has not."""
    for (method, path), operation in operations().items():
        if "requestBody" not in operation or path.endswith("/close/"):  # which changes the rows
            continue
        asked = schema_at(operation["requestBody"]["content"])
        told = {}
        for status in ("200", "201"):
            told |= schema_at(operation["responses"].get(status, {}).get("content", EMPTY))
        fields = {*told, *HIDDEN.get(path.split("/")[2], ()), "pk"} - set(asked)
        yield pytest.param(method, path, sorted(fields), id=f"{method} {path}")


EMPTY = {"application/json": {"schema": {}}}


@pytest.mark.parametrize(("method", "path", "fields"), list(not_to_be_set()))
def test_read_only_fields_change_nothing(method, path, fields, api, alice, clerk):
    alice.change_password(factories.PASSWORD)
    who, body = GOOD[method, path]
    client = api if who == "anyone" else api.of({"alice": alice, "clerk": clerk}[who])
    product = factories.products.make(quantity_in_stock=50)
    order = factories.place(alice, {product: 1})
    for move in {"ship": ["confirm"], "deliver": ["confirm", "ship"]}.get(path.split("/")[-2], []):
        getattr(order, move)(by=clerk)
    number = order.pk if "orders" in path else product.pk
    if "items" in body:
        body = {"items": [{"product": product.pk, "quantity": 1} | odd("unit_price", "line_total")]}
    answer = getattr(client, method.lower())(path.replace("{id}", str(number)), body | odd(*fields))
    assert answer.status_code < 300, answer.json()
    told = answer.json() if answer.content else {}
    for field in fields:
        assert told.get(field, ...) != ODD[field], field
    models = (Customer, Product, StockAdjustment, Order)
    rows = str([list(model.objects.values_list()) for model in models])
    for word in (
        "987654321",
        "datetime(2001",
        "'root'",
        "'XTS'",  # quoted, as a password's hash may well have these letters
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
