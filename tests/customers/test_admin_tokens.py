import re
from datetime import timedelta
from urllib.parse import urldefrag, urljoin

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from customers.tokens import AccessToken
from tests import factories

LIST = "/admin/customers/accesstoken/"
LINK = re.compile(r'href="([^"]*)"')


def create_token(browser, customer):
    return browser.post(f"{LIST}add/", {"user": customer.pk}, follow=True).content.decode()


def test_list_shows_owners_but_no_keys(in_the_admin, alice):
    token = AccessToken.issue(alice)
    page = in_the_admin.get(f"{LIST}?q=alice").content.decode()
    assert "alice@" in page
    assert "never" in page
    assert token.key not in page


def test_list_has_no_e_mail_for_staff_who_may_not_view_customers(client, clerk, alice):
    AccessToken.issue(alice)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_accesstoken"))
    client.force_login(clerk)
    page = client.get(LIST).content.decode()
    assert "Token" in page
    assert "alice@" not in page


def test_key_of_a_new_token_is_shown_once(in_the_admin, alice):
    page = create_token(in_the_admin, alice)
    key = AccessToken.objects.get(user=alice).key
    assert f"Token of alice: <code>{key}</code> Copy it now" in page
    assert key not in in_the_admin.get(LIST).content.decode()


def test_new_token_logs_in(in_the_admin, api, alice):
    create_token(in_the_admin, alice)
    assert api.as_user(alice).get("/api/customers/me/").data["username"] == "alice"


def test_valid_token_stays_and_is_not_shown(in_the_admin, alice):
    token = AccessToken.issue(alice)
    page = create_token(in_the_admin, alice)
    assert "alice has a token, which cannot be shown again" in page
    assert f'<a href="{LIST}{alice.pk}/delete/">revoke it</a>' in page
    assert token.key not in page
    assert AccessToken.objects.get().key == token.key


def test_expired_token_is_replaced(in_the_admin, alice, settings):
    settings.TOKEN_TTL = timedelta(days=1)
    old = AccessToken.issue(alice)
    AccessToken.objects.update(created=timezone.now() - timedelta(days=2))
    page = create_token(in_the_admin, alice)
    new = AccessToken.objects.get()
    assert new.key != old.key
    assert new.key in page


def test_inactive_account_gets_no_token(in_the_admin, alice, bob):
    alice.close()
    bob.is_active = False
    bob.save()
    for customer in (alice, bob):
        assert "This account is closed, or not active." in create_token(in_the_admin, customer)
    assert not AccessToken.objects.exists()


def test_staff_cannot_create_tokens(client, clerk, alice):
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}add/", {"user": alice.pk}).status_code == 403


def test_revoked_token_opens_nothing(in_the_admin, api, alice):
    as_alice = api.as_user(alice)
    page = in_the_admin.get(f"{LIST}{alice.pk}/delete/").content.decode()
    assert "Revoke the token of “alice”?" in page
    page = in_the_admin.post(f"{LIST}{alice.pk}/delete/", {"post": "yes"}, follow=True)
    assert "Token of alice: revoked." in page.content.decode()
    assert as_alice.get("/api/customers/me/").status_code == 401


def test_staff_can_revoke_only_tokens_of_customers(client, clerk, alice):
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    root = factories.customers.make(is_superuser=True)
    for customer, status in ((alice, 302), (root, 403)):
        AccessToken.issue(customer)
        response = client.post(f"{LIST}{customer.pk}/delete/", {"post": "yes"})
        assert response.status_code == status
    assert AccessToken.objects.get().user == root


def test_token_cannot_be_edited(in_the_admin, alice, bob):
    token = AccessToken.issue(alice)
    page = f"{LIST}{alice.pk}/change/"
    assert "Revoke" in in_the_admin.get(page).content.decode()
    assert in_the_admin.post(page, {"user": bob.pk}).status_code == 403
    assert AccessToken.objects.get(user=alice).key == token.key


def walk(browser, *starts):
    """Yield the `(address, text)` of each linked admin page; skip other orderings of lists."""
    queue, visited = list(starts), set()
    while queue:
        address = queue.pop()
        if address in visited or re.search(r"[?&](o|_facets)=|&|/logout/", address):
            continue
        visited.add(address)
        response = browser.get(address, follow=True)
        if "html" in response["Content-Type"] or "json" in response["Content-Type"]:
            text = response.getvalue().decode()
            yield address, text
            links = (urldefrag(urljoin(address, link)).url for link in LINK.findall(text))
            queue += [link for link in links if link.startswith("/admin/")]


@pytest.fixture
def keys(in_the_admin, alice, bob, clerk, product):
    """Keys of three tokens: issued to a customer, created in the admin, and also revoked there."""
    factories.place(alice, {product: 1})
    keys = [AccessToken.issue(alice).key]
    for customer in (bob, clerk):
        page = create_token(in_the_admin, customer)
        keys += re.findall("<code>([0-9a-f]{40})</code>", page)
    in_the_admin.post(f"{LIST}{clerk.pk}/delete/", {"post": "yes", "_popup": "1"})
    assert len(keys) == 3
    return keys


@pytest.mark.slow
def test_no_page_shows_a_key(in_the_admin, alice, bob, keys):
    pop_ups = [f"{LIST}?_popup=1", f"{LIST}?_to_field=key", f"{LIST}{bob.pk}/change/?_to_field=key"]
    autocomplete = "/admin/autocomplete/?app_label=customers&model_name=customer&field_name="
    pages = dict(walk(in_the_admin, "/admin/", *pop_ups))
    for word in ("", f"{bob.pk}/change/", f"{bob.pk}/delete/", f"{bob.pk}/history/"):
        assert f"{LIST}{word}" in pages
    assert f"/admin/customers/customer/{alice.pk}/export/" in pages
    assert f"/admin/customers/customer/{alice.pk}/close/" in pages
    pop_up = in_the_admin.get(f"{LIST}?_popup=1&_to_field=key").content.decode()
    response = in_the_admin.get(f"{autocomplete}auth_token")
    for key in keys:
        exposing_pages = [address for address, text in pages.items() if key in address + text]
        assert exposing_pages == []
        assert key not in pop_up + response.content.decode()


def test_no_key_is_logged(in_the_admin, keys, caplog):
    entries = str([*LogEntry.objects.values()])
    assert "Token of bob" in entries
    for key in keys:
        assert key not in entries + caplog.text


def test_key_is_not_returned_to_a_pop_up(in_the_admin, alice):
    form = {"user": alice.pk, "_popup": "1", "_to_field": "key"}
    response = in_the_admin.post(f"{LIST}add/", form)
    assert (response.status_code, response["Location"]) == (302, LIST)
