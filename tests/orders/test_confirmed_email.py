"""Orders that REQUIRE_CONFIRMED_EMAIL holds back until the customer's address is confirmed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories


@pytest.fixture(autouse=True)
def required(settings):
    settings.REQUIRE_CONFIRMED_EMAIL = True


def order(client, product, path="", **body):
    body["items"] = [{"product": product.pk, "quantity": 1}]
    return client.post(f"/api/orders/{path}", body)


@pytest.mark.parametrize("path", ["", "quote/"])
def test_order_waits_until_the_address_is_confirmed(as_alice, alice, product, path):
    response = order(as_alice, product, path)
    assert (response.status_code, response.json()["code"]) == (409, "email_unconfirmed")
    assert (
        as_alice.post("/api/customers/confirm-email/", factories.link_params(alice)).status_code
        == 204
    )
    assert order(as_alice, product, path).status_code in (200, 201)


@pytest.mark.parametrize("path", ["", "quote/"])
def test_staff_order_for_customers_whatever_their_address(as_clerk, alice, product, path):
    assert order(as_clerk, product, path, customer=alice.pk).status_code in (200, 201)
    assert order(as_clerk, product, path).status_code == 409


def test_anyone_gets_a_quote_without_a_log_in(api, product):
    assert order(api, product, "quote/").status_code == 200


def test_placing_costs_no_query_more(as_alice, alice, product, settings):
    alice.update_fields(email_confirmed=True)
    counts = []
    for settings.REQUIRE_CONFIRMED_EMAIL in (False, False, True):
        with CaptureQueriesContext(connection) as queries:
            assert order(as_alice, product).status_code == 201
        counts.append(len(queries))
    assert counts[1] == counts[2]
