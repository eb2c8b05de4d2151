"""No page has inline scripts or styles: the Content-Security-Policy has browsers block them."""

import re
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from customers.tasks import mail_confirmation_link
from mail.models import OrderMail
from products.categories import Category
from shopply.middleware import CONTENT_SECURITY_POLICY
from tests import factories, pictures
from webhooks.models import Endpoint


class InlineCodeParser(HTMLParser):
    """Collects the scripts, styles and handlers that the policy would block."""

    def __init__(self, page):
        super().__init__()
        self.violations = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        is_json = values.get("type") == "application/json"
        if tag == "style" or (tag == "script" and not values.get("src") and not is_json):
            self.violations.append(tag)
        for name, value in attributes:
            if name == "style" or name.startswith("on") or "javascript:" in (value or ""):
                self.violations.append(f"{tag} {name}={value}")


def check(response, status=200):
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")
    assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert not InlineCodeParser(response.content.decode()).violations


def test_inline_code_and_styles_are_detected():
    page = '<style></style><script>1</script><a onclick="f()" style="x" href="javascript:1">'
    assert len(InlineCodeParser(page).violations) == 5


@pytest.mark.parametrize(
    "path",
    [
        "/api/docs/",
        "/api/problems/",
        "/api/problems/not_found/",
        "/admin/login/",
        "/reset/Mg/token/",
    ],
)
def test_public_pages(client, db, path):
    check(client.get(path))


@pytest.fixture
def rows(alice, api):
    """At least one row of each model in the admin."""
    product = factories.products.make()
    order = factories.place(alice, {product: 1})
    OrderMail.objects.create(order=order, name="order_placed")
    endpoint = Endpoint(url="https://8.8.8.8/")
    endpoint.start()
    endpoint.save()
    endpoint.deliveries.create(message_id="msg_1", event="test", body="{}")
    pictures.add(product, alice)  # and a task for its thumbnail
    api.as_user(alice)
    mail_confirmation_link.enqueue(alice.pk)
    Category.objects.create(name="Tea", slug="tea")
    for name in ("packers", "sellers"):
        Group.objects.create(name=name)


MODELS = list(admin.site._registry)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_pages_of_the_admin(in_the_admin, rows, model):
    names = f"admin:{model._meta.app_label}_{model._meta.model_name}"

    def page(name, *arguments):
        return reverse(f"{names}_{name}", args=arguments)

    row = model.objects.first()
    assert row is not None
    paths = [page("changelist"), page("change", row.pk), page("history", row.pk)]
    site = admin.site._registry[model]
    request = in_the_admin.get("/admin/").wsgi_request
    if site.has_add_permission(request):
        paths.append(page("add"))
    if site.has_delete_permission(request, row):
        paths.append(page("delete", row.pk))
        data = {"action": "delete_selected", "_selected_action": row.pk}
        check(in_the_admin.post(page("changelist"), data))
    for path in paths:
        check(in_the_admin.get(path, follow=True))  # the page of an account of staff is elsewhere


@pytest.mark.parametrize("path", ["/admin/", "/admin/password_change/"])
def test_index_and_password_pages_of_the_admin(in_the_admin, path):
    check(in_the_admin.get(path))


def test_password_page_of_a_customer(in_the_admin, alice):
    check(in_the_admin.get(f"/admin/customers/customer/{alice.pk}/password/"))


def test_page_that_sets_a_forgotten_password(client, alice):
    page = client.get("/reset/{uid}/{token}/".format(**factories.reset_link(alice)), follow=True)
    check(page)
    check(client.post(page.request["PATH_INFO"], {}))


def test_page_of_a_form_with_errors(in_the_admin):
    check(in_the_admin.post("/admin/products/product/add/", {}))


def test_error_pages(in_the_admin, client):
    check(client.get("/nope"), 404)
    check(client.get("/?a=%00"), 400)
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = in_the_admin.cookies
    check(forged.post("/admin/products/product/add/", {}), 403)


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_error_page_links_to_the_docs_and_the_admin(name):
    page = render_to_string(f"{name}.html")
    for path in ("/api/docs/", "/admin/"):
        assert f'<a href="{path}">' in page


def fetch_linked(client, path, rel):
    """Return the text of all that a page links as `rel`; admin pages have many style sheets."""
    page = client.get(path).content.decode()
    responses = [client.get(href) for href in re.findall(rf'<link rel="{rel}" href="(.+?)"', page)]
    return b"".join(b"".join(response) for response in responses).decode()


@pytest.mark.parametrize(
    "path",
    ["/nope", "/api/problems/", "/api/problems/not_found/", "/admin/login/", "/reset/Mg/token/"],
)
def test_page_has_our_icon(client, db, path):
    assert fetch_linked(client, path, "icon").startswith("<svg ")


def test_browser_that_shows_json_gets_our_icon(client):
    response = client.get("/favicon.ico", follow=True)
    assert response["Content-Type"] == "image/svg+xml"
    assert b"".join(response).startswith(b"<svg ")


@pytest.mark.parametrize("path", ["/nope", "/api/problems/", "/api/problems/not_found/"])
def test_whole_page_follows_the_dark_mode_of_the_browser(client, path):
    """Set on `body`, it would lighten the text but leave the background white."""
    style = fetch_linked(client, path, "stylesheet")
    assert re.search(r":root {[^}]*color-scheme: light dark;", style)


@pytest.mark.parametrize("path", ["/admin/", "/admin/products/product/"])
def test_pages_of_the_admin_have_our_styles(in_the_admin, path):
    assert ".sold-out {" in fetch_linked(in_the_admin, path, "stylesheet")


def test_every_response_has_the_security_headers(client, db):
    for path in ("/", "/api/", "/api/nope/", "/admin/", "/static/shopply.css", "/nope", "/?a=%00"):
        response = client.get(path)
        assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"
        assert response["Referrer-Policy"] == "same-origin"
        assert response["Cross-Origin-Opener-Policy"] == "same-origin"
        response.close()


def test_debug_pages_have_no_policy(client, settings):
    settings.DEBUG = True
    assert "Content-Security-Policy" not in client.get("/nope").headers
    assert "Content-Security-Policy" in client.get("/api/problems/").headers


def test_policy_allows_nothing_inline_or_external():
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    allowed = {source for name in policy for source in policy[name].split()}
    assert allowed == {"'none'", "'self'", "data:"}
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"


def test_admin_cookie_is_hidden_from_scripts_and_other_sites(client, alice):
    alice.is_staff = True
    alice.change_password(factories.PASSWORD)
    alice.save()
    credentials = {"username": "alice", "password": factories.PASSWORD}
    cookie = client.post("/admin/login/", credentials).cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
