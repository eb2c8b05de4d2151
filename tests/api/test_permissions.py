"""Who may do what: one table of every route outside the admin.

Columns: anonymous, alice (who owns the account and the order), bob (another customer), staff
(including superusers), and users with an invalid token: expired, or of a deactivated account.
"""

from datetime import timedelta

import pytest
from django.urls import get_resolver, resolve
from django.urls.resolvers import URLResolver
from django.utils import timezone
from rest_framework.authtoken.models import Token

from products.categories import Category
from tests import factories, pictures

CONFIRM = {"uid": "Mg", "token": "used"}
PASSWORD = {"current_password": factories.PASSWORD}
NEW_CUSTOMER = {"username": "dora", "email": "dora@example.com", "password": factories.PASSWORD}
NEW_PRODUCT = {"name": "Mocha", "sku": "MOC-1", "price": "9.00"}
NEW_PASSWORD = {"current_password": factories.PASSWORD, "new_password": "my-bee-loud-glade"}
EMAIL = {"email": "alice@example.com"}
LINK = {"uid": "Mg", "token": "of-nobody", "new_password": "my-bee-loud-glade"}
NEW_CATEGORY = {"name": "Decaf", "slug": "decaf"}
DELIVERY = {"delta": 12, "reason": "delivery"}
ADDRESS = {"shipping_address": {"street_1": "Tøndergade 4", "city": "Ribe", "country": "Denmark"}}
LOG_IN = {"username": "alice", "password": factories.PASSWORD}

# fmt: off
TABLE = [
    # method, path,                      body,                anon alice bob  staff dead
    ("GET",    "/",                        None,                (302, 302, 302, 302, 302)),
    ("GET",    "/favicon.ico",             None,                (302, 302, 302, 302, 302)),
    ("GET",    "/healthz",                 None,                (200, 200, 200, 200, 200)),
    ("GET",    "/readyz",                  None,                (200, 200, 200, 200, 200)),
    ("GET",    "/metrics",                 None,                (404, 404, 404, 404, 404)),
    ("GET",    "/api/",                    None,                (200, 200, 200, 200, 200)),
    ("POST",   "/api/obtain-token/",       LOG_IN,              (200, 200, 200, 200, 200)),
    ("POST",   "/api/revoke-token/",       None,                (401, 204, 204, 204, 401)),
    ("GET",    "/api/schema/",             None,                (200, 200, 200, 200, 200)),
    ("GET",    "/api/docs/",               None,                (200, 200, 200, 200, 200)),
    ("GET",    "/api/problems/",           None,                (200, 200, 200, 200, 200)),
    ("GET",    "/api/problems/not_found/", None,                (200, 200, 200, 200, 200)),
    ("GET",    "/api/nothing/here/",       None,                (404, 404, 404, 404, 404)),
    ("GET",    "/api/customers/",          None,                (200, 200, 200, 200, 401)),
    ("POST",   "/api/customers/",          NEW_CUSTOMER,        (201, 201, 201, 201, 401)),
    ("GET",    "/api/customers/{alice}/",  None,                (401, 200, 404, 200, 401)),
    ("GET",    "/api/customers/me/",       None,                (401, 200, 200, 200, 401)),
    ("PATCH",  "/api/customers/me/",       {"city": "Ribe"},    (401, 200, 200, 200, 401)),
    ("POST",   "/api/customers/me/confirm-email/", None,        (401, 202, 202, 202, 401)),
    ("POST",   "/api/customers/confirm-email/", CONFIRM,        (400, 400, 400, 400, 401)),
    ("GET",    "/confirm-email/Mg/used/",  None,                (200, 200, 200, 200, 200)),
    ("DELETE", "/api/customers/me/",       None,                (401, 403, 403, 403, 401)),
    ("POST",   "/api/customers/me/close/", PASSWORD,            (401, 204, 204, 204, 401)),
    ("GET",    "/api/customers/me/export/", None,               (401, 200, 200, 200, 401)),
    ("POST",   "/api/customers/me/password/", NEW_PASSWORD,     (401, 204, 204, 204, 401)),
    ("POST",   "/api/customers/password-reset/", EMAIL,         (202, 202, 202, 202, 202)),
    ("POST",   "/api/customers/password-reset/confirm/", LINK,  (400, 400, 400, 400, 400)),
    ("GET",    "/reset/Mg/token/",         None,                (200, 200, 200, 200, 200)),
    ("GET",    "/reset/done/",             None,                (200, 200, 200, 200, 200)),
    ("GET",    "/api/products/",           None,                (200, 200, 200, 200, 401)),
    ("POST",   "/api/products/",           NEW_PRODUCT,         (401, 403, 403, 201, 401)),
    ("PATCH",  "/api/products/",           [],                  (401, 403, 403, 400, 401)),
    ("GET",    "/api/products/{product}/", None,                (200, 200, 200, 200, 401)),
    ("GET",    "/api/products/{retired}/", None,                (404, 404, 404, 200, 401)),
    ("PUT",    "/api/products/{product}/", NEW_PRODUCT,         (401, 403, 403, 200, 401)),
    ("PATCH",  "/api/products/{product}/", {"price": "9.00"},   (401, 403, 403, 200, 401)),
    ("DELETE", "/api/products/{product}/", None,                (401, 403, 403, 204, 401)),
    ("POST",   "/api/products/{product}/adjust-stock/", DELIVERY, (401, 403, 403, 201, 401)),
    ("GET",    "/api/products/{product}/stock-history/", None,  (401, 403, 403, 200, 401)),
    ("GET",    "/api/categories/",         None,                (200, 200, 200, 200, 401)),
    ("POST",   "/api/categories/",         NEW_CATEGORY,        (401, 403, 403, 201, 401)),
    ("GET",    "/api/categories/tea/",     None,                (200, 200, 200, 200, 401)),
    ("GET",    "/api/categories/hidden/",  None,                (404, 404, 404, 200, 401)),
    ("PATCH",  "/api/categories/tea/",     {"position": 2},     (401, 403, 403, 200, 401)),
    ("DELETE", "/api/categories/tea/",     None,                (401, 403, 403, 200, 401)),
    ("POST",   "/api/products/{product}/images/", "{a picture}", (401, 403, 403, 201, 401)),
    ("PATCH",  "/api/products/{product}/images/{image}/", {"alt": "x"}, (401, 403, 403, 200, 401)),
    ("DELETE", "/api/products/{product}/images/{image}/", None, (401, 403, 403, 204, 401)),
    ("GET",    f"/media/00/{'0' * 64}.webp", None,              (404, 404, 404, 404, 404)),
    ("GET",    "/api/orders/",             None,                (401, 200, 200, 200, 401)),
    ("POST",   "/api/orders/",             "{an order}",        (401, 201, 201, 201, 401)),
    ("POST",   "/api/orders/quote/",       "{an order}",        (200, 200, 200, 200, 401)),
    ("GET",    "/api/orders/{order}/",     None,                (401, 200, 404, 200, 401)),
    ("POST",   "/api/orders/{order}/cancel/",  None,            (401, 200, 404, 200, 401)),
    ("POST",   "/api/orders/{order}/confirm/", None,            (401, 403, 404, 200, 401)),
    ("POST",   "/api/orders/{confirmed}/ship/", None,           (401, 403, 404, 200, 401)),
    ("POST",   "/api/orders/{shipped}/deliver/", None,          (401, 403, 404, 200, 401)),
    ("POST",   "/api/orders/{shipped}/undo/", None,             (401, 403, 404, 200, 401)),
    ("POST",   "/api/orders/{shipped}/return/", "{a return}",   (401, 403, 404, 200, 401)),
    ("POST",   "/api/orders/{order}/correct-address/", ADDRESS, (401, 403, 404, 200, 401)),
    ("GET",    "/api/changes/",            None,                (401, 403, 403, 200, 401)),
]
# fmt: on
ROLES = {
    "anonymous": 0,
    "alice": 1,
    "bob": 2,
    "clerk": 3,
    "superuser": 3,
    "deactivated": 4,
    "expired": 4,
}


@pytest.fixture
def superuser(db):
    customer, _ = factories.customers.make(is_staff=True, is_superuser=True, _quantity=2)
    customer.change_password(factories.PASSWORD)
    return customer


@pytest.fixture
def deactivated(db):
    return factories.customers.make(is_active=False, is_staff=True)


@pytest.fixture
def expired(db, settings):
    customer = factories.customers.make(is_staff=True)
    settings.TOKEN_TTL = timedelta(days=30)
    created = timezone.now() - timedelta(days=31)
    Token.objects.create(user=customer)
    Token.objects.filter(user=customer).update(created=created)
    return customer


@pytest.fixture
def ids(alice, bob, clerk, product):
    for customer in (alice, bob, clerk):
        customer.change_password(factories.PASSWORD)
    ordered_product = factories.products.make()
    orders = [factories.place(alice, {ordered_product: 1}) for _ in range(3)]
    for order in orders[1:]:
        order.confirm(by=clerk)
    orders[2].ship(by=clerk)
    for slug in ("tea", "hidden"):
        Category.objects.create(name=slug.title(), slug=slug, is_active=slug != "hidden")
    return {
        "alice": alice.pk,
        "product": product.pk,
        "image": pictures.add(product, clerk).pk,
        "ordered": ordered_product.pk,
        "retired": factories.products.make(is_active=False).pk,
        "order": orders[0].pk,
        "confirmed": orders[1].pk,
        "shipped": orders[2].pk,
    }


@pytest.mark.parametrize("role", ROLES)
def test_role_gets_what_the_table_says(role, ids, api, request, isolated_subtest):
    client = api if role == "anonymous" else api.as_user(request.getfixturevalue(role))
    for method, path, body, statuses in TABLE:
        if body in ("{an order}", "{a return}"):
            product = ids["product" if body == "{an order}" else "ordered"]
            body = {"items": [{"product": product, "quantity": 1}]}
        with isolated_subtest(method=method, path=path):
            response = pictures.send(client, method, path.format(**ids), body)
            assert response.status_code == statuses[ROLES[role]]


def routes(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def test_table_has_every_route():
    names = ("alice", "product", "image", "retired", "order", "confirmed", "shipped")
    ids = dict.fromkeys(names, 1)
    in_table = {resolve(path.format(**ids)).route for _, path, _, _ in TABLE}
    # The admin's routes have their own table, in tests/admin.
    public = {route for route in routes(get_resolver().url_patterns) if route[:6] != "admin/"}
    assert in_table == public
