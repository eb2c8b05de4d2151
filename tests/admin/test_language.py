"""SHOP_LANGUAGE translates the pages of the admin, and nothing of the API."""

import json
import re
from decimal import Decimal
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from rest_framework.authtoken.models import Token

from customers.models import Customer
from customers.tokens import AccessToken
from orders.models import BulkTransition, Order
from products.models import Product
from tests import factories
from tests.servers import Server

ADDRESS = {"street_1": "", "city": "Ribe", "country": "Denmark"}
REQUESTS = [
    # method, path, body: of the staff user `clerk`
    ("GET", "/api/products/", None),
    ("GET", "/api/products/?items_per_page=x&min_price=12,5&ordering=x&search=", None),
    ("GET", "/api/products/987654321/", None),
    ("POST", "/api/products/", {}),
    ("POST", "/api/products/", {"name": "", "sku": "", "price": "12,50", "quantity_in_stock": 1.5}),
    ("POST", "/api/products/", {"name": "x" * 300, "price": 12.501, "colour": "red"}),
    ("DELETE", "/api/products/", None),
    ("GET", "/api/customers/", None),
    ("POST", "/api/customers/", {"username": "é", "email": "x", "password": "1234"}),
    ("POST", "/api/customers/", {"username": "clerk", "email": "", "password": "password"}),
    ("PATCH", "/api/customers/me/", {"email": "x@example.com", "country": None}),
    ("POST", "/api/customers/me/password/", {"current_password": "x", "new_password": "clerk"}),
    ("POST", "/api/obtain-token/", {"username": "clerk", "password": "no"}),
    ("POST", "/api/customers/password-reset/", {"email": "x"}),
    ("GET", "/api/orders/?customer=all", None),
    ("POST", "/api/orders/", {"items": []}),
    ("POST", "/api/orders/", {"items": [{"product": "1"}], "shipping_address": ADDRESS}),
    ("POST", "/api/orders/quote/", {"items": [{"product": 987654321, "quantity": 20_000}]}),
    ("POST", "/api/orders/", "{"),
    ("POST", "/api/orders/", []),
    ("GET", "/api/changes/?after=x", None),
    ("GET", "/api/schema/?format=json", None),
    ("GET", "/api/schema/", None),
    ("GET", "/api/problems/", None),
    ("GET", "/api/nothing/", None),
]


def start(language):
    environment = {"SHOP_LANGUAGE": language, "SECRET_KEY": settings.SECRET_KEY, "DEBUG": "true"}
    return Server(workers=1, SHOP_TIME_ZONE="Europe/Berlin", **environment).start()


@pytest.fixture
def german_shop(transactional_db):
    server = start("de")
    yield server
    server.stop()


@pytest.fixture
def english_shop(transactional_db):
    server = start("en")
    yield server
    server.stop()


def send(server, method, path, body=None, **headers):
    """Return the response, and its content."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read().decode()
    connection.close()
    return response, content


def test_api_says_the_same_in_every_language(german_shop, english_shop):
    clerk = factories.customers.make(username="clerk", is_staff=True)
    factories.place(clerk, {factories.products.make(): 2})
    headers = {"Host": "127.0.0.1", "X-Request-ID": "same", "Content-Type": "application/json"}
    headers |= {"Accept-Language": "de"}
    for authorization in (f"Token {Token.objects.create(user=clerk)}", "Token 0123", "Digest x"):
        headers["Authorization"] = authorization
        for method, path, body in REQUESTS:
            body = body if isinstance(body, str | None) else json.dumps(body)
            german, german_content = send(german_shop, method, path, body, **headers)
            english, english_content = send(english_shop, method, path, body, **headers)
            assert german.status == english.status < 500
            assert german_content == english_content, path
            assert german.headers["Content-Language"] is None


@pytest.fixture
def browse(german_shop):
    """A function that sends a request of a superuser to the admin, with a form if there is one."""
    client = Client()
    client.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def browse(path, form=None):
        headers = {"Cookie": f"sessionid={session}"}
        if form is None:
            return send(german_shop, "GET", f"/admin/{path}", **headers)
        _, html = send(german_shop, "GET", f"/admin/{path}", **headers)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', html)[1]

        headers["Cookie"] += f"; csrftoken={token}"
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode({"csrfmiddlewaretoken": token} | form)
        return send(german_shop, "POST", f"/admin/{path}", body, **headers)

    return browse


def test_admin_speaks_the_language_of_the_shop(browse, german_shop):
    _, html = send(german_shop, "GET", "/admin/login/")
    assert '<html lang="de"' in html
    assert "Anmelden" in html
    _, html = send(german_shop, "GET", "/reset/done/")
    assert '<html lang="de"' in html
    assert "Passwort wurde zurückgesetzt" in html
    _, html = browse("products/product/")
    assert "Produkt" not in html  # the shop's own words are English
    assert "hinzufügen" in html
    response, script = browse("jsi18n/")
    assert "Verf\\u00fcgbare %s" in script
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]


def test_own_pages_lead_to_the_start_in_the_same_word(browse, alice, clerk, product):
    order = factories.place(alice, {product: 1})
    AccessToken.issue(alice)
    bulk = BulkTransition.objects.select(Order.objects.all(), name="ship", by=clerk)
    BulkTransition.objects.update(by=Customer.objects.get(is_superuser=True))
    for path in (
        f"orders/order/{order.pk}/change/",
        f"orders/order/{order.pk}/move/cancel/",
        f"orders/order/bulk/{bulk.pk}/",
        f"products/product/{product.pk}/stock/",
        f"customers/customer/{alice.pk}/close/",
        f"customers/customer/{alice.pk}/password_link/",
        f"customers/customer/{clerk.pk}/change/",
        f"customers/accesstoken/{alice.pk}/delete/",
    ):
        _, html = browse(path)
        assert '<a href="/admin/">Start</a>' in html, path


def test_money_and_times_are_shown_in_the_language_and_entered_as_ever(browse):
    product = factories.products.make(price="1234.50")
    product.refresh_from_db()
    _, html = browse("products/product/")
    assert ">1234,50<" in html
    assert re.search(r"\d+\. \w+ \d{4}, \d\d:\d\d CES?T", html)
    page = f"products/product/{product.pk}/change/"
    _, html = browse(page)
    assert 'value="1234.50"' in html
    shown = re.search(r'name="_shown" value="([^"]*)"', html)[1]
    form = {
        "_shown": shown,
        "name": product.name,
        "sku": product.sku,
        "is_active": "on",
        "price": "1234.50",
    }
    for rows in ("images", "adjustments"):
        form |= {f"{rows}-TOTAL_FORMS": "0", f"{rows}-INITIAL_FORMS": "0"}
    response, _ = browse(page, form | {"description": "Of the same price."})
    assert response.status == 302
    product.refresh_from_db()
    assert (product.price, product.description) == (Decimal("1234.50"), "Of the same price.")
    browse(page, form | {"price": "12,50"})
    assert Product.objects.get().price in (Decimal("12.50"), Decimal("1234.50"))  # or refused
