"""Personal responses, tokens and problems are never stored; products are revalidated."""

import pytest

from tests import factories


@pytest.mark.parametrize("path", ["customers/me/", "customers/", "orders/", "customers/me/export/"])
def test_personal_response_is_never_stored(as_alice, path):
    assert as_alice.get(f"/api/{path}")["Cache-Control"] == "no-store"


def test_token_is_never_stored(api, alice):
    alice.set_password(factories.PASSWORD)
    alice.save()
    credentials = {"username": "alice", "password": factories.PASSWORD}
    assert api.post("/api/obtain-token/", credentials)["Cache-Control"] == "no-store"


def test_problem_is_never_stored(api):
    assert api.get("/api/customers/me/")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["", "{}/"])
def test_product_is_revalidated(api, product, path):
    assert api.get(f"/api/products/{path.format(product.pk)}")["Cache-Control"] == "no-cache"
