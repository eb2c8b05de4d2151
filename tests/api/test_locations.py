"""Each 201 names what was created. `tests/contract.py` looks for the header in the whole suite."""

import pytest

from tests.api.test_documented_responses import GOOD, send  # noqa: F401  a fixture
from tests.contract import operations

CREATING = [key for key, operation in operations().items() if "201" in operation["responses"]]


@pytest.mark.parametrize("key", CREATING, ids=" ".join)
def test_location_leads_to_what_was_created(key, send, as_clerk):  # noqa: F811
    role, body = GOOD[key]
    response = send(role, *key, body)
    assert response["Location"].startswith("http://testserver/api/")
    data = as_clerk.get(response["Location"]).json()
    if "/images/" in key[1]:
        data = data["images"][-1]
    created = data["results"][0] if "results" in data else data
    name = next(name for name in ("id", "slug", "delta") if name in created)
    assert created[name] == response.json()[name]


def test_replayed_order_has_the_location_of_the_first_response(as_alice, product):
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    first, replayed = (
        as_alice.post("/api/orders/", body, headers={"Idempotency-Key": "one"}) for _ in range(2)
    )
    assert replayed["Idempotent-Replayed"] == "true"
    assert replayed["Location"] == first["Location"]
