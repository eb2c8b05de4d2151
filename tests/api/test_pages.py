"""No page has scripts or styles written into it: the browser is told to refuse them."""

import re
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from shopply.middleware import CONTENT_SECURITY_POLICY
from tests import factories


class Inline(HTMLParser):
    """Collects what the policy would keep from working."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        data = given.get("type") == "application/json"
        if tag == "style" or (tag == "script" and not given.get("src") and not data):
            self.found.append(tag)
        for name, value in attributes:
            if name == "style" or name.startswith("on") or "javascript:" in (value or ""):
                self.found.append(f"{tag} {name}={value}")


def check(answer, status=200):
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert not Inline(answer.content.decode()).found


def test_inline_code_and_styles_are_found():
    page = '<style></style><script>1</script><a onclick="f()" style="x" href="javascript:1">'
    assert len(Inline(page).found) == 5


@pytest.mark.parametrize(
    "path", ["/api/docs/", "/api/problems/", "/api/problems/not_found/", "/admin/login/"]
)
def test_page_for_everyone(client, db, path):
    check(client.get(path))


@pytest.fixture
def rows(alice, api):
    """One row at least of each model in the admin."""
    product = factories.products.make()
    factories.place(alice, {product: 1})
    api.of(alice)
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
        chosen = {"action": "delete_selected", "_selected_action": row.pk}
        check(in_the_admin.post(page("changelist"), chosen))
    for path in paths:
        check(in_the_admin.get(path))


@pytest.mark.parametrize("path", ["/admin/", "/admin/password_change/"])
def test_page_of_the_admin_itself(in_the_admin, path):
    check(in_the_admin.get(path))


def test_password_page_of_a_customer(in_the_admin, alice):
    check(in_the_admin.get(f"/admin/customers/customer/{alice.pk}/password/"))


def test_form_that_is_refused_shows_its_errors(in_the_admin):
    check(in_the_admin.post("/admin/products/product/add/", {}))


def test_pages_of_errors(in_the_admin, client):
    check(client.get("/nope"), 404)
    check(client.get("/?a=%00"), 400)
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = in_the_admin.cookies
    check(forged.post("/admin/products/product/add/", {}), 403)


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_page_of_an_error_leads_on(name):
    page = render_to_string(f"{name}.html")
    for path in ("/api/docs/", "/admin/"):
        assert f'<a href="{path}">' in page


def linked(client, path, kind):
    """What a page links as `kind`, got; pages of the admin have many style sheets."""
    page = client.get(path).content.decode()
    answers = [client.get(href) for href in re.findall(rf'<link rel="{kind}" href="(.+?)"', page)]
    return b"".join(b"".join(answer) for answer in answers).decode()


@pytest.mark.parametrize(
    "path", ["/nope", "/api/problems/", "/api/problems/not_found/", "/admin/login/"]
)
def test_page_has_our_icon(client, db, path):
    assert linked(client, path, "icon").startswith("<svg ")


def test_browser_that_shows_json_gets_our_icon(client):
    answer = client.get("/favicon.ico", follow=True)
    assert answer["Content-Type"] == "image/svg+xml"
    assert b"".join(answer).startswith(b"<svg ")


@pytest.mark.parametrize("path", ["/nope", "/api/problems/", "/api/problems/not_found/"])
def test_whole_page_is_dark_where_the_browser_is(client, path):
    """On `body` it would make the text light, and leave the page white."""
    style = linked(client, path, "stylesheet")
    assert re.search(r":root {[^}]*color-scheme: light dark;", style)


@pytest.mark.parametrize("path", ["/admin/", "/admin/products/product/"])
def test_pages_of_the_admin_have_our_styles(in_the_admin, path):
    assert ".sold-out {" in linked(in_the_admin, path, "stylesheet")


def test_headers_that_browsers_mind_are_on_every_answer(client, db):
    for path in ("/", "/api/", "/api/nope/", "/admin/", "/static/shopply.css", "/nope", "/?a=%00"):
        answer = client.get(path)
        assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        answer.close()


def test_debug_pages_are_left_to_work(client, settings):
    settings.DEBUG = True
    assert "Content-Security-Policy" not in client.get("/nope").headers
    assert "Content-Security-Policy" in client.get("/api/problems/").headers


def test_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    allowed = {source for name in policy for source in policy[name].split()}
    assert allowed == {"'none'", "'self'", "data:"}
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"


def test_cookie_of_the_admin_is_for_the_server_alone(client, alice):
    alice.is_staff = True
    alice.change_password(factories.PASSWORD)
    alice.save()
    entry = {"username": "alice", "password": factories.PASSWORD}
    cookie = client.post("/admin/login/", entry).cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
