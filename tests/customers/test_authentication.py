"""What an `Authorization` header may say, and what another one gets."""

import pytest

from tests.contract import operations

WITH_LOG_IN = [key for key, operation in operations().items() if operation.get("security")]
LONG = 1_000_000_000  # seconds: no window of this length ends while the tests run


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer", "bearer", "BEARER"])
def test_token_is_accepted_in_either_scheme(api, alice, scheme):
    header = api.as_user(alice)._credentials["HTTP_AUTHORIZATION"].replace("Token", scheme)
    for path in ("/api/customers/me/", "/api/orders/"):
        assert api.get(path, headers={"Authorization": header}).status_code == 200
    (customer,) = api.get("/api/customers/", headers={"Authorization": header}).json()
    assert customer["username"] == "alice"


@pytest.mark.parametrize("key", WITH_LOG_IN, ids=" ".join)
def test_unknown_scheme_is_a_401_also_where_no_log_in_is_needed(api, product, key):
    method, path = key
    path = path.replace("{id}", str(product.pk)).replace("{slug}", "tea").replace("{image}", "1")
    response = api.generic(method, path, headers={"Authorization": "Digest username=alice"})
    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")
    assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize(
    "header", ["", " ", "alice", "0123456789abcdef", "Bearer", "Bearer two words", "Bearer,x"]
)
def test_malformed_header_is_a_401(api, product, header):
    response = api.get("/api/products/", headers={"Authorization": header})
    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")


@pytest.mark.parametrize("header", ["Digest username=alice", "Bearer 0123456789abcdef"])
def test_failure_counts_as_an_anonymous_request(api, as_alice, product, settings, header):
    settings.RATES = settings.RATES | {"anonymous": (3, LONG)}
    address = {"REMOTE_ADDR": f"192.0.2.{len(header)}"}
    responses = [
        api.get("/api/products/", headers={"Authorization": header}, **address) for _ in range(4)
    ]
    assert [response.status_code for response in responses] == [401, 401, 401, 429]
    assert api.get("/api/products/", **address).status_code == 429
    assert as_alice.get("/api/products/", **address).status_code == 200
