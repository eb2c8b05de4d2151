"""Who may keep an answer: nobody, of what is personal."""

import pytest

from tests import factories


@pytest.mark.parametrize("path", ["customers/me/", "customers/", "orders/", "customers/me/export/"])
def test_personal_answer_is_stored_by_nobody(as_alice, path):
    assert as_alice.get(f"/api/{path}")["Cache-Control"] == "no-store"


def test_token_is_stored_by_nobody(api, alice):
    alice.set_password(factories.PASSWORD)
    alice.save()
    form = {"username": "alice", "password": factories.PASSWORD}
    assert api.post("/api/obtain-token/", form)["Cache-Control"] == "no-store"


def test_problem_is_stored_by_nobody(api):
    assert api.get("/api/customers/me/")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["", "{}/"])
def test_product_is_asked_about_again(api, product, path):
    assert api.get(f"/api/products/{path.format(product.pk)}")["Cache-Control"] == "no-cache"
