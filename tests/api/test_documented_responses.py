"""Every status and problem code that the OpenAPI document lists can be produced.

`GOOD` has one successful request per operation; each problem is produced by spoiling it.
"""

import base64
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import override_settings

from customers.models import Customer
from orders.models import Order
from products.bulk import BulkUpdate
from products.categories import Category
from products.models import ProductImage
from tests import factories, pictures
from tests.contract import document, operations

LIST = ("GET", "/api/products/")  # whose parameter `low` is for staff


def basic_auth(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


WRONG_PASSWORD = basic_auth("alice", "a-guess-at-it")
ADDRESS = {"street_1": "Rua das Flores 21", "city": "Porto", "country": "Portugal"}

GOOD = {
    ("POST", "/api/obtain-token/"): (
        "anyone",
        {"username": "alice", "password": factories.PASSWORD},
    ),
    ("POST", "/api/revoke-token/"): ("alice", None),
    ("GET", "/api/customers/"): ("clerk", None),
    ("POST", "/api/customers/"): (
        "anyone",
        {"username": "dora", "email": "dora@example.com", "password": factories.PASSWORD},
    ),
    ("GET", "/api/customers/{id}/"): ("alice", None),
    ("GET", "/api/customers/me/"): ("alice", None),
    ("PATCH", "/api/customers/me/"): ("alice", {"city": "Ribe"}),
    ("POST", "/api/customers/confirm-email/"): ("anyone", {"uid": "Mg", "token": "used"}),
    ("POST", "/api/customers/me/confirm-email/"): ("alice", None),
    ("DELETE", "/api/customers/me/"): ("alice by Basic", None),
    ("POST", "/api/customers/me/close/"): ("alice", {"current_password": factories.PASSWORD}),
    ("GET", "/api/customers/me/export/"): ("alice", None),
    ("POST", "/api/customers/me/password/"): (
        "alice",
        {"current_password": factories.PASSWORD, "new_password": "my-bee-loud-glade"},
    ),
    ("POST", "/api/customers/password-reset/"): ("anyone", {"email": "alice@example.com"}),
    ("POST", "/api/customers/password-reset/confirm/"): (
        "anyone",
        {"uid": "of alice", "token": "of alice", "new_password": "my-bee-loud-glade"},
    ),
    ("GET", "/api/products/"): ("anyone", None),
    ("POST", "/api/products/"): ("clerk", {"name": "Mocha", "sku": "M-1", "price": "9.00"}),
    ("PATCH", "/api/products/"): ("clerk", [{"sku": "M-2", "price": "9.00"}]),
    ("GET", "/api/products/{id}/"): ("anyone", None),
    ("PUT", "/api/products/{id}/"): ("clerk", {"name": "Mocha", "sku": "M-1", "price": "9.00"}),
    ("PATCH", "/api/products/{id}/"): ("clerk", {"price": "9.00"}),
    ("DELETE", "/api/products/{id}/"): ("clerk", None),
    ("POST", "/api/products/{id}/adjust-stock/"): ("clerk", {"delta": -5, "reason": "damaged"}),
    ("GET", "/api/products/{id}/stock-history/"): ("clerk", None),
    ("POST", "/api/products/{id}/images/"): ("clerk", {"file": "a picture"}),
    ("PATCH", "/api/products/{id}/images/{image}/"): ("clerk", {"alt": "A cup"}),
    ("DELETE", "/api/products/{id}/images/{image}/"): ("clerk", None),
    ("GET", "/api/categories/"): ("anyone", None),
    ("POST", "/api/categories/"): ("clerk", {"name": "Black tea", "slug": "black-tea"}),
    ("GET", "/api/categories/{slug}/"): ("anyone", None),
    ("PATCH", "/api/categories/{slug}/"): ("clerk", {"position": 3}),
    ("DELETE", "/api/categories/{slug}/"): ("clerk", None),
    ("GET", "/api/orders/"): ("alice", None),
    ("POST", "/api/orders/"): ("alice", {"items": [{"quantity": 1}]}),
    ("POST", "/api/orders/quote/"): ("anyone", {"items": [{"quantity": 1}]}),
    ("GET", "/api/orders/{id}/"): ("alice", None),
    ("POST", "/api/orders/{id}/cancel/"): ("alice", {"note": "Too late."}),
    ("POST", "/api/orders/{id}/confirm/"): ("clerk", {}),
    ("POST", "/api/orders/{id}/ship/"): ("clerk", {}),
    ("POST", "/api/orders/{id}/deliver/"): ("clerk", {}),
    ("POST", "/api/orders/{id}/undo/"): ("clerk", {}),
    ("POST", "/api/orders/{id}/return/"): ("clerk", {"items": [{"quantity": 1}]}),
    ("POST", "/api/orders/{id}/correct-address/"): ("clerk", {"shipping_address": ADDRESS}),
    ("GET", "/api/changes/"): ("clerk", None),
}


def documented_outcomes():
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            if status < "400":
                yield method, path, status
            elif status != "default":
                for code in response["content"]["application/problem+json"]["examples"]:
                    yield method, path, code


@pytest.fixture
def send(api, alice, clerk):
    """Send a request in a role, with the ids of existing rows."""
    alice.change_password(factories.PASSWORD)
    product = factories.products.make(quantity_in_stock=5, sku="M-2")
    ordered_product = factories.products.make()
    order = factories.place(alice, {ordered_product: 1}, key="used", fingerprint="of another body")
    tea = Category.objects.create(name="Tea", slug="tea")
    Category.objects.create(name="Green tea", slug="green-tea", parent=tea)
    fields = {"reason": "delivery", "by": clerk, "key": "used", "fingerprint": "of another body"}
    ordered_product.adjust_stock(1, **fields)
    BulkUpdate.objects.create(actor=clerk, idempotency_key="used", fingerprint="of another body")
    ids = {"customers": alice.pk, "products": product.pk, "orders": order.pk}
    pictures.add(product, clerk, key="used", fingerprint="of another body")
    clients = {"anyone": api, "alice": api.as_user(alice), "clerk": api.as_user(clerk)}
    clients["alice by Basic"] = type(api)(
        HTTP_AUTHORIZATION=basic_auth("alice", factories.PASSWORD)
    )
    clients["stranger"] = type(api)(HTTP_AUTHORIZATION="Token 0123456789abcdef")

    def send(role, method, path, body, **extra):
        path = path.replace("{id}", str(ids.get(path.split("/")[2])))
        path = path.replace("{slug}", "green-tea")
        path = path.replace("{ordered_product}", str(ordered_product.pk))
        if isinstance(body, dict) and {"uid", "new_password"} <= body.keys():
            body = body | factories.reset_link(alice)
        path = pictures.fill_in(path, product, clerk)
        if "file" in (body or ()):
            extra.setdefault("format", "multipart")
            body = body | {"file": pictures.as_file(pictures.draw())}
        if "items" in (body or ()):
            item_product = ordered_product if path.endswith("/return/") else product
            items = [item | {"product": item_product.pk} for item in body["items"]]
            body = body | {"items": items}
        return getattr(clients[role], method.lower())(path, body, **extra)

    return send


def produce(method, path, outcome, send, clerk):
    """Return the response to the good request of the operation, spoiled to have this outcome."""
    role, body = GOOD[method, path]
    verb = path.split("/")[-2]
    extra, transitions, changes = {}, factories.PRIOR_TRANSITIONS.get(verb, []), {}
    match outcome:
        case "304":
            extra = {"headers": {"If-None-Match": "*"}}
        case "validation_error" if method == "DELETE" and path.endswith(("{id}/", "{slug}/")):
            extra = {"headers": {"If-Match": "malformed"}}
        case "validation_error" if body is None:
            path += "?items_per_page=0"
        case "validation_error" if path.endswith("/images/"):
            body, extra = {"alt": "x"}, {"format": "multipart"}
        case "validation_error":
            body = []
        case "parse_error" if path.endswith("/images/"):
            body, extra = "{", {"content_type": "multipart/form-data"}
        case "parse_error":
            body, extra = "{", {"content_type": "application/json"}
        case "permission_denied" | "not_authenticated" if (method, path) == LIST:
            role = "alice" if outcome == "permission_denied" else "anyone"
            path += "?low=true"
        case "not_authenticated":
            role = "anyone"
        case "authentication_failed":
            role = "stranger"
        case "token_expired":
            changes = {"TOKEN_TTL": timedelta(microseconds=1)}
            role = {"anyone": "clerk", "alice by Basic": "alice"}.get(role, role)
        case "too_many_failures":
            changes = {"RATES": settings.RATES | {"log_in_address": (0, 900)}}
            role, extra = "anyone", {"headers": {"Authorization": WRONG_PASSWORD}}
            # A new hash: the password that was verified before would be let in.
            Customer.objects.get(username="alice").change_password(factories.PASSWORD)
        case "throttled":
            changes = {"RATES": dict.fromkeys(settings.RATES, (0, 60))}
            role = "stranger"  # staff are not limited
        case "204" if path == "/api/customers/confirm-email/":
            body = factories.link_params(Customer.objects.get(username="alice"))
        case "nothing_to_confirm":
            Customer.objects.filter(username="alice").update(email_confirmed=True)
        case "email_unconfirmed":
            settings.REQUIRE_CONFIRMED_EMAIL = True
            role = "alice"
        case "last_superuser":
            Customer.objects.filter(username="alice").update(is_superuser=True)
        case "permission_denied" if path.endswith("/cancel/"):
            changes = {"STAFF_API_PERMISSIONS": True}
            clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
            role = "clerk"
        case "permission_denied":
            role = "alice"
        case "not_found" if "{id}" in path:
            path = path.replace("{id}", "987654321")
        case "not_found" if "{slug}" in path:
            path = path.replace("{slug}", "coffee")
        case "not_found":
            path += "?page=99"
        case "out_of_stock":
            body = {"items": [{"quantity": 6}]}
        case "order_limit_reached":
            changes = {"MAX_UNITS_PER_ORDER": 1}
            body = {"items": [{"quantity": 2}]}
        case "price_changed":
            body = body | {"expected_total": "0.01"}
        case "idempotency_key_reused":
            extra = {"headers": {"Idempotency-Key": "used"}}
        case "wrong_credentials":
            body = body | {"password": "a-guess-at-it"}
        case "invalid_link":
            Customer.objects.filter(username="alice").update(is_active=False)
        case "illegal_transition":
            transitions = [] if verb in ("undo", "return") else ["confirm", "ship", "deliver"]
        case "too_many_returned":
            body = {"items": [{"quantity": 2}]}
        case "too_many_images":
            row = ProductImage.objects.get()
            ProductImage.objects.bulk_create(
                ProductImage(product=row.product, position=12, width=1, height=1) for _ in range(11)
            )
        case "precondition_failed":
            extra = {"headers": {"If-Match": '"another"'}}
        case "stock_out_of_bounds" if isinstance(body, list):
            body = [body[0] | {"quantity_in_stock": 2_000_000_000}]
        case "stock_out_of_bounds" if method == "PATCH":
            body = {"quantity_in_stock": 2_000_000_000}
        case "stock_out_of_bounds":
            body = body | {"delta": -6}
        case "product_in_use":
            path = path.replace("{id}", "{ordered_product}")
        case "category_in_use":
            path = path.replace("{slug}", "tea")
    factories.make_transitions(Order.objects.get(), transitions, by=clerk)
    with override_settings(**changes):
        return send(role, method, path, body, **extra)


def test_documented_response_is_produced(send, clerk, isolated_subtest):
    for method, path, outcome in documented_outcomes():
        with isolated_subtest(method=method, path=path, outcome=outcome):
            response = produce(method, path, outcome, send, clerk)
            if outcome.isdigit():
                assert response.status_code == int(outcome)
            else:
                assert response.json()["code"] == outcome
            assert ("Retry-After" in response) == (response.status_code == 429)


def test_every_operation_has_a_summary_a_description_and_examples():
    for key, operation in operations().items():
        assert operation["summary"], key
        assert len(operation["description"]) > 20, key
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [
            response for response in operation["responses"].values() if "content" in response
        ]
        for body in bodies:
            for content in body["content"].values():
                assert content["examples"], key


def test_paths_are_relative_to_the_server():
    assert {path[:5] for path in document()["paths"]} == {"/api/"}
