import json
import threading
import time

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection, transaction

from customers.models import Customer
from tests import factories
from tests.forms import submit

CUSTOMERS = "/admin/customers/customer"


@pytest.fixture
def in_the_admin_as_staff(client, clerk):
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="customers"))
    client.force_login(clerk)
    return client


def test_export_is_the_same_as_the_customers_own(in_the_admin_as_staff, as_alice, alice, product):
    factories.place(alice, {product: 2})
    response = in_the_admin_as_staff.get(f"{CUSTOMERS}/{alice.pk}/export/")
    assert response["Content-Disposition"] == f'attachment; filename="customer-{alice.pk}.json"'
    export = json.loads(response.getvalue())
    assert export == as_alice.get("/api/customers/me/export/").json()
    assert export["orders"][0]["items"][0]["quantity"] == 2


def test_page_of_a_customer_links_to_export_and_closing(in_the_admin_as_staff, alice):
    page = in_the_admin_as_staff.get(f"{CUSTOMERS}/{alice.pk}/change/").content.decode()
    for name in ("export", "close"):
        assert f'href="{CUSTOMERS}/{alice.pk}/{name}/"' in page
    assert f"{CUSTOMERS}/{alice.pk}/delete/" not in page


def test_closing_requires_a_confirmation(in_the_admin_as_staff, alice):
    page = in_the_admin_as_staff.get(f"{CUSTOMERS}/{alice.pk}/close/").content.decode()
    assert "It cannot be undone." in page
    assert "csrfmiddlewaretoken" in page
    alice.refresh_from_db()
    assert alice.closed is None


def test_closing_erases_the_person_and_keeps_the_orders(
    in_the_admin_as_staff, api, alice, product, clerk
):
    as_alice = api.as_user(alice)
    order = factories.place(alice, {product: 1})
    order.cancel(by=alice)
    page = in_the_admin_as_staff.post(f"{CUSTOMERS}/{alice.pk}/close/", follow=True)
    assert f"Its name is “closed {alice.pk}” now" in page.content.decode()
    assert as_alice.get("/api/customers/me/").status_code == 401
    row = Customer.objects.values().get(pk=alice.pk)
    assert "alice" not in str(row)
    order.refresh_from_db()
    assert order.customer_id == alice.pk
    assert "Kattesundet" not in str(order.shipping_address)


def test_closing_is_logged_without_the_persons_name(in_the_admin, alice):
    form = {"usable_password": "false", "unset-password": ""}
    in_the_admin.post(f"{CUSTOMERS}/{alice.pk}/password/", form)
    assert LogEntry.objects.get().object_repr == "alice"
    in_the_admin.post(f"{CUSTOMERS}/{alice.pk}/close/")
    history = in_the_admin.get(f"{CUSTOMERS}/{alice.pk}/history/").content.decode()
    assert "Closed and erased." in history
    assert "alice" not in history + str([*LogEntry.objects.values()])


def test_closing_erases_the_note_of_staff_and_old_values_in_the_history(in_the_admin, alice):
    page = f"{CUSTOMERS}/{alice.pk}/change/"
    submit(in_the_admin, page, staff_note="Rings twice.", street_1="Åboulevarden 1")
    assert "Rings twice." in LogEntry.objects.get().get_change_message()
    in_the_admin.post(f"{CUSTOMERS}/{alice.pk}/close/")
    alice.refresh_from_db()
    assert alice.staff_note == ""
    texts = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert texts == ["Erased.", "Closed and erased."]


def test_export_has_the_note_of_staff_and_no_old_values_of_others(in_the_admin, clerk, alice):
    """What staff did with other accounts is not theirs."""
    in_the_admin.force_login(clerk)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="customers"))
    for customer in (alice, clerk):
        submit(in_the_admin, f"{CUSTOMERS}/{customer.pk}/change/", staff_note="Rings twice.")
    export = json.loads(in_the_admin.get(f"{CUSTOMERS}/{clerk.pk}/export/").getvalue())
    assert export["account"]["staff_note"] == "Rings twice."
    assert [entry["object_repr"] for entry in export["admin_log"]] == ["clerk"]


def test_closing_needs_a_csrf_token(client, alice):
    client = type(client)(enforce_csrf_checks=True)
    client.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    assert client.post(f"{CUSTOMERS}/{alice.pk}/close/").status_code == 403


@pytest.mark.parametrize("codename", ["view_customer", "delete_customer"])
def test_closing_and_export_need_the_permission_to_change(client, clerk, alice, codename):
    clerk.user_permissions.set(Permission.objects.filter(codename=codename))
    client.force_login(clerk)
    assert client.get(f"{CUSTOMERS}/{alice.pk}/export/").status_code == 403
    assert client.post(f"{CUSTOMERS}/{alice.pk}/close/").status_code == 403


def test_accounts_cannot_be_deleted(in_the_admin, alice):
    assert in_the_admin.post(f"{CUSTOMERS}/{alice.pk}/delete/", {"post": "yes"}).status_code == 403
    form = {"action": "delete_selected", "_selected_action": alice.pk, "post": "yes"}
    in_the_admin.post(f"{CUSTOMERS}/", form)
    assert Customer.objects.filter(pk=alice.pk).exists()


def test_closed_account_is_shown_and_cannot_be_changed(in_the_admin, alice):
    alice.close()
    page = in_the_admin.get(f"{CUSTOMERS}/{alice.pk}/change/").content.decode()
    assert f"closed {alice.pk}" in page
    for name in ("_save", "/password/", "/close/", "/export/"):
        assert name not in page
    form = {"username": "alice", "is_active": "on", "is_superuser": "on"}
    assert in_the_admin.post(f"{CUSTOMERS}/{alice.pk}/change/", form).status_code == 403
    form = {"usable_password": "true", "password1": "my-bee-loud-glade"}
    form["password2"] = form["password1"]
    assert in_the_admin.post(f"{CUSTOMERS}/{alice.pk}/password/", form).status_code == 403
    assert in_the_admin.post(f"{CUSTOMERS}/{alice.pk}/close/").status_code == 403
    assert in_the_admin.get(f"{CUSTOMERS}/{alice.pk}/export/").status_code == 403
    alice.refresh_from_db()
    assert (alice.is_active, alice.has_usable_password()) == (False, False)


def test_last_superuser_who_can_log_in_is_not_closed(client, db):
    root = factories.customers.make(is_staff=True, is_superuser=True)
    factories.customers.make(is_staff=True, is_superuser=True, is_active=False)
    client.force_login(root)
    page = f"{CUSTOMERS}/{root.pk}/close/"
    for response in (client.get(page), client.post(page)):
        assert "is the last superuser who can log in" in response.content.decode()
    root.refresh_from_db()
    assert root.is_superuser
    factories.customers.make(is_staff=True, is_superuser=True)
    assert "your\nown" in client.get(page).content.decode()
    assert client.post(page).status_code == 302
    assert not Customer.objects.get(pk=root.pk).is_active


def start_thread(call, *args):
    """Start `call` in a thread; return the thread and the list that receives the result."""
    results = []

    def run():
        try:
            results.append(call(*args))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


@pytest.mark.django_db(transaction=True)
def test_two_superusers_who_close_each_other_leave_one(client):
    roots = [factories.customers.make(is_staff=True, is_superuser=True) for _ in range(2)]
    browsers = [type(client)() for _ in roots]
    for browser, root in zip(browsers, roots, strict=True):
        browser.force_login(root)
    threads = [
        start_thread(browser.post, f"{CUSTOMERS}/{root.pk}/close/")[0]
        for browser, root in zip(browsers, reversed(roots), strict=True)
    ]
    for thread in threads:
        thread.join()
    assert Customer.objects.filter(is_superuser=True, is_active=True).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("change", {"username": "alice", "is_active": "on"}),
        ("password", {"usable_password": "false", "unset-password": ""}),
    ],
)
def test_change_that_waited_for_a_closing_is_refused(in_the_admin, alice, page, form):
    with transaction.atomic():
        alice.close()
        thread, results = start_thread(in_the_admin.post, f"{CUSTOMERS}/{alice.pk}/{page}/", form)
        time.sleep(0.5)
    thread.join()
    assert [response.status_code for response in results] == [403]
    alice.refresh_from_db()
    assert (alice.username, alice.is_active) == (f"closed {alice.pk}", False)
