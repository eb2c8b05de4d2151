"""The admin's session does not authenticate under /api/, so no other site can ride on it there."""

import pytest

from products.categories import Category
from tests import factories
from tests.contract import ContractClient, operations

OPEN = [key for key, operation in operations().items() if {} in (operation["security"] or [{}])]
CLOSED = sorted(operations().keys() - set(OPEN))


@pytest.fixture
def in_the_admin(clerk):
    """A browser with a superuser logged in to the admin, and with Django's CSRF checks on."""
    clerk.is_superuser = True
    clerk.save()
    browser = ContractClient(enforce_csrf_checks=True)
    browser.force_login(clerk)
    assert browser.get("/admin/").status_code == 200
    return browser


@pytest.fixture
def call(clerk):
    product = factories.products.make(is_active=False)
    order = factories.place(clerk, {factories.products.make(): 1})
    Category.objects.create(name="Tea", slug="tea")
    ids = {"customers": clerk.pk, "products": product.pk, "orders": order.pk}

    def call(client, method, path, body=None):
        path = path.replace("{id}", str(ids.get(path.split("/")[2]))).replace("{slug}", "tea")
        path = path.replace("{image}", "1")
        return getattr(client, method.lower())(path, body)

    return call


def outcome(response):
    body = response.json()
    if response.status_code >= 400:
        del body["request_id"]
    return response.status_code, body


@pytest.mark.parametrize("key", CLOSED, ids=" ".join)
def test_session_does_not_authenticate(in_the_admin, call, key):
    response = call(in_the_admin, *key)
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("key", OPEN, ids=" ".join)
def test_session_shows_nothing_more_where_no_log_in_is_needed(in_the_admin, api, call, key):
    assert outcome(call(in_the_admin, *key)) == outcome(call(api, *key))


def test_token_works_beside_a_session_without_a_csrf_token(in_the_admin, alice, api, product):
    in_the_admin.credentials(**api.as_user(alice)._credentials)
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    response = in_the_admin.post("/api/orders/", body)
    assert response.status_code == 201
    assert response.json()["customer"] == alice.pk


def test_api_neither_reads_nor_sets_a_cookie(in_the_admin):
    response = in_the_admin.get("/api/products/")
    assert not response.cookies
    assert "Cookie" not in response["Vary"]
    assert not hasattr(response.wsgi_request, "session")
