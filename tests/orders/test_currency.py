"""Money has the decimal places that ISO 4217 gives the shop's currency."""

from decimal import Decimal

import pytest
from django.core.checks import run_checks
from rest_framework.test import APIClient

from orders.models import Order
from products.models import Product
from shopply.api.money import PLACES
from tests import factories
from tests.contract import document
from tests.forms import submit

CURRENCIES = [("EUR", "11.90", "23.80"), ("JPY", "1500", "3000"), ("KWD", "1.505", "3.010")]


@pytest.fixture(params=CURRENCIES, ids=[code for code, *_ in CURRENCIES])
def currency(request, settings):
    document()  # which the other tests use: made with EUR, whichever test comes first
    settings.SHOP_CURRENCY = request.param[0]
    return request.param


def test_places_are_those_of_iso_4217():
    assert {code: PLACES[code] for code in ("EUR", "JPY", "KRW", "KWD", "TND", "HUF")} == {
        **{"EUR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "TND": 3, "HUF": 2}
    }
    assert not {"ZZZ", "XAU", "XXX", "CLF"} & PLACES.keys()


def test_prices_and_totals_have_the_places_of_the_currency(currency, clerk, alice):
    code, price, total = currency
    as_clerk, as_alice = APIClient(), APIClient()  # the document of these tests is that of EUR
    as_clerk.force_authenticate(clerk)
    as_alice.force_authenticate(alice)
    product = as_clerk.post(
        "/api/products/", {"name": "Cup", "price": price, "quantity_in_stock": 9}
    )
    assert product.status_code == 201
    assert (product.json()["price"], product.json()["currency"]) == (price, code)
    assert as_alice.get(f"/api/products/{product.json()['id']}/").json()["price"] == price
    items = [{"product": product.json()["id"], "quantity": 2}]
    placed = as_alice.post("/api/orders/", {"items": items, "expected_total": total}).json()
    (item,) = placed["items"]
    assert (item["unit_price"], item["line_total"], placed["total_price"]) == (price, total, total)
    assert as_alice.get(f"/api/orders/{placed['id']}/").json() == placed
    quote = as_alice.post("/api/orders/quote/", {"items": items}).json()
    assert (quote["total_price"], quote["items"]) == (total, placed["items"])


@pytest.mark.parametrize(
    ("code", "price"), [("JPY", "1500.55"), ("JPY", 0.5), ("EUR", "1.005"), ("KWD", "1.0005")]
)
def test_finer_price_is_rejected(settings, as_clerk, code, price):
    settings.SHOP_CURRENCY = code
    response = as_clerk.post("/api/products/", {"name": "Cup", "price": price})
    assert response.json()["errors"][0]["code"] in ("max_decimal_places", "max_digits")
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("number", "price"), [(10.0, "10.00"), (1.1, "1.10"), (5, "5.00"), (1e2, "100.00")]
)
def test_price_is_taken_as_a_number_too(as_clerk, number, price):
    body = {"name": "Cup", "description": "For tea", "price": number, "quantity_in_stock": 5}
    response = as_clerk.post("/api/products/", body)
    assert (response.status_code, response.json()["price"]) == (201, price)


@pytest.mark.parametrize(
    "number",
    [
        "1.005",
        "1.10000000000000000000000000000000000001",
        "1e-400",
        "1e400",
        "1e999999999",
        "-1",
        "-0.0",
    ],
)
def test_number_that_is_no_exact_price_is_rejected(as_clerk, number):
    body = f'{{"name": "Cup", "price": {number}}}'
    response = as_clerk.generic("POST", "/api/products/", body, content_type="application/json")
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/price")


@pytest.mark.parametrize("exponent", ["9" * 19, "-" + "9" * 19, "9" * 400])
def test_number_beyond_decimal_is_a_400(as_clerk, exponent):
    body = f'{{"name": "Cup", "price": 1e{exponent}}}'
    response = as_clerk.generic("POST", "/api/products/", body, content_type="application/json")
    assert response.status_code == 400


@pytest.mark.parametrize(("code", "value"), [("EUR", "11.90"), ("JPY", "1500"), ("KWD", "1.505")])
def test_admin_shows_and_takes_the_places_of_the_currency(settings, in_the_admin, code, value):
    settings.SHOP_CURRENCY = code
    product = factories.products.make(price=value)
    url = f"/admin/products/product/{product.pk}/change/"
    assert f'name="price" value="{value}"' in in_the_admin.get(url).content.decode()
    page = submit(in_the_admin, url, price=f"{value}{'.5' if code == 'JPY' else '5'}")
    assert "Ensure that there are no more than" in page.content.decode()
    product.refresh_from_db()
    assert product.price == Decimal(value)


def test_shop_with_orders_keeps_its_currency(settings, alice, product):
    assert not run_checks(tags=["database"], databases=["default"])
    factories.place(alice, {product: 1})
    settings.SHOP_CURRENCY = "USD"
    (error,) = run_checks(tags=["database"], databases=["default"])
    assert (error.id, error.is_serious()) == ("orders.E002", True)
    Order.objects.all().delete()
    assert not run_checks(tags=["database"], databases=["default"])
