"""Personal data: exported in full, and erased when the account is closed."""

import json
import threading
from contextlib import ExitStack

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client

from customers.models import AccountClosed, Customer
from customers.privacy import ExportStream, exporting
from customers.tokens import AccessToken
from orders.models import Order
from tests import factories
from tests.contract import ContractClient

# Personal data of alice, from tests.factories and the fixture below.
PERSONAL_WORDS = ("alice", "example.com", "'Ada'", "Brandt", "Kattesundet", "Aarhus", "+45 5550")
EXPORT = "/api/customers/me/export/"
ME = "/api/customers/me/"
PASSWORDS = ("password1", "password2")  # fields of a form


@pytest.fixture
def alice(alice):
    alice.contact_number = "+45 5550"
    alice.change_password(factories.PASSWORD)
    alice.save()
    alice.groups.add(Group.objects.create(name="Friends of alice"))
    LogEntry.objects.log_actions(alice.pk, [alice], CHANGE, single_object=True)
    return alice


def close(client):
    return client.post(f"{ME}close/", {"current_password": factories.PASSWORD})


def order_in(state, alice, clerk):
    """An order of alice's in this state, with a note on each of its transitions."""
    order = factories.place(alice, {factories.products.make(): 2}, key=f"alice's {state}")
    path = {
        "placed": [],
        "confirmed": ["confirm"],
        "shipped": ["confirm", "ship"],
        "delivered": ["confirm", "ship", "deliver"],
        "cancelled": ["cancel"],
    }[state]
    for transition in path:
        getattr(order, transition)(by=clerk, note="Ring twice, says Ada Brandt.")
    return order


def dump_database():
    """Return all rows of all tables as one text."""
    with connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  our own tables
            rows += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(rows)


def test_closed_account_leaves_no_personal_data(as_alice, alice, clerk, bob):
    states = ("delivered", "cancelled")
    orders = [order_in(state, alice, clerk) for state in states]
    assert all(word in dump_database() for word in PERSONAL_WORDS)
    bob.groups.clear()
    Group.objects.all().delete()
    assert close(as_alice).status_code == 204
    dump = dump_database()
    for word in PERSONAL_WORDS:
        lines = [line for line in dump.splitlines() if word in line]
        # bob and the clerk are other people, who share some of these words.
        assert all("'bob'" in line or "clerk" in line for line in lines), word
    for order, state in zip(orders, states, strict=True):
        order = Order.objects.prefetch_related("items", "events").get(pk=order.pk)
        assert (order.status, order.customer_id) == (state, alice.pk)
        assert order.shipping_address["country"] == "Denmark"
        assert order.items.get().quantity == 2
        assert order.idempotency_key is None


def add_personal_data(order, clerk):
    """Have staff write what they can of the person into an order that is placed."""
    name = "Ada Brandt"
    Order.objects.filter(pk=order.pk).update(staff_note=f"{name} pays late.")
    order.correct_address(order.postal_address | {"street_2": "c/o Ada"}, by=clerk, note=name)
    order.confirm(by=clerk)
    order.ship(by=clerk, carrier="DHL", tracking_number=name)
    order.deliver(by=clerk)
    order.return_items({order.items.get().product_id: 1}, damaged=True, by=clerk, note=name)


def test_closing_erases_what_staff_wrote_about_the_person(as_alice, alice, clerk):
    order = factories.place(alice, {factories.products.make(): 2})
    add_personal_data(order, clerk)
    assert dump_database().count("Ada Brandt") > 5
    assert close(as_alice).status_code == 204
    dump = dump_database()
    assert "Ada" not in "".join(line for line in dump.splitlines() if "clerk" not in line)
    order.refresh_from_db()
    assert (order.items.get().returned, order.carrier) == (1, "DHL")


def test_delivery_of_a_closed_account_erases_what_staff_wrote(as_alice, alice, clerk):
    order = factories.place(alice, {factories.products.make(): 2})
    assert close(as_alice).status_code == 204
    add_personal_data(order, clerk)
    dump = dump_database()
    assert "Ada" not in "".join(line for line in dump.splitlines() if "clerk" not in line)


def test_closed_account_has_no_access_and_no_privileges(as_clerk, clerk):
    clerk.is_superuser = True
    clerk.change_password(factories.PASSWORD)
    clerk.save()
    clerk.user_permissions.set(Permission.objects.all()[:3])
    factories.customers.make(is_superuser=True)
    as_clerk = ContractClient().as_user(clerk)
    assert close(as_clerk).status_code == 204
    assert as_clerk.get(ME).status_code == 401
    clerk.refresh_from_db()
    assert not clerk.has_usable_password()
    assert not any((clerk.is_active, clerk.is_staff, clerk.is_superuser))
    assert not clerk.user_permissions.exists()
    assert clerk.closed


def test_closing_erases_the_keys_of_stock_adjustments(as_clerk, clerk, product):
    clerk.change_password(factories.PASSWORD)
    adjustment = product.adjust_stock(5, reason="delivery", by=clerk, key="of-the-clerk")
    as_clerk = ContractClient().as_user(clerk)
    assert as_clerk.get(EXPORT).json()["stock_adjustments"][0]["idempotency_key"] == "of-the-clerk"
    assert close(as_clerk).status_code == 204
    adjustment.refresh_from_db()
    assert (adjustment.idempotency_key, adjustment.fingerprint, adjustment.delta) == (None, "", 5)


def test_last_superuser_is_not_closed(api, clerk):
    clerk.change_password(factories.PASSWORD)
    Customer.objects.filter(pk=clerk.pk).update(is_superuser=True)
    factories.customers.make(is_superuser=True, is_active=False)
    response = close(api.as_user(clerk))
    assert (response.status_code, response.json()["code"]) == (409, "last_superuser")
    assert api.as_user(clerk).get(ME).json()["username"] == "clerk"


def test_password_set_while_the_account_is_closed_is_refused(alice):
    """The row may change while the password is hashed."""
    stale_alice = Customer.objects.get(pk=alice.pk)
    alice.close()
    with pytest.raises(AccountClosed):
        stale_alice.change_password("my-bee-loud-glade")
    alice.refresh_from_db()
    assert (alice.username, alice.email) == (f"closed {alice.pk}", "")
    assert not alice.has_usable_password()


@pytest.mark.parametrize(
    ("state", "transitions"),
    [
        ("placed", ["confirm", "ship", "deliver"]),
        ("confirmed", ["ship", "deliver"]),
        ("shipped", ["deliver"]),
        ("placed", ["cancel"]),
        ("confirmed", ["cancel"]),
    ],
)
def test_open_order_keeps_its_address_until_it_is_closed(state, transitions, alice, clerk):
    order = order_in(state, alice, clerk)
    alice.close()
    *on_the_way, last = transitions
    for transition in on_the_way:
        getattr(order, transition)(by=clerk)
    order.refresh_from_db()
    assert order.shipping_address["street_1"] == "Kattesundet 4"
    getattr(order, last)(by=clerk, note="Left with Ada Brandt's neighbour.")
    order.refresh_from_db()
    assert "".join(order.shipping_address.values()) == "Denmark"
    assert not order.events.exclude(note="").exists()


@pytest.mark.parametrize("country", ["276", '"Germany"', "NaN", "true", "null", "[1", "Perú"])
def test_address_is_erased_whatever_the_country_is_called(country, alice, clerk):
    alice.country = country
    alice.save()
    delivered, on_the_way = order_in("delivered", alice, clerk), order_in("shipped", alice, clerk)
    alice.close()
    on_the_way.deliver(by=clerk)
    for order in (delivered, on_the_way):
        order.refresh_from_db()
        assert "".join(order.shipping_address.values()) == country


def test_order_of_a_deactivated_account_keeps_its_address(alice, clerk):
    order = order_in("shipped", alice, clerk)
    alice.is_active = False
    alice.save()
    order.deliver(by=clerk)
    order.refresh_from_db()
    assert order.shipping_address["city"] == "Aarhus"


def test_erasure_updates_modified_of_the_orders(as_clerk, alice, clerk):
    order = order_in("delivered", alice, clerk)
    before = order.modified
    alice.close()
    order.refresh_from_db()
    assert order.modified > before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["close", "deliver"])
def test_delivery_and_closing_at_once_leave_no_address(first, alice, clerk):
    """Whichever starts first, and however their statements interleave."""
    for _ in range(10):
        customer = factories.customers.make()
        order = order_in("shipped", customer, clerk)
        start = threading.Barrier(2)

        def close(customer=customer, start=start):
            start.wait()
            customer.close()
            connection.close()

        def deliver(order=order, start=start):
            start.wait()
            order.deliver(by=clerk)
            connection.close()

        threads = [threading.Thread(target=act) for act in (close, deliver)]
        for thread in threads if first == "close" else reversed(threads):
            thread.start()
        for thread in threads:
            thread.join()
        order.refresh_from_db()
        assert order.status == "delivered"
        assert order.shipping_address["city"] == ""


def test_export_contains_all_data_of_the_customer(as_alice, alice, clerk):
    order = order_in("delivered", alice, clerk)
    export = as_alice.get(EXPORT).json()
    assert export["account"]["username"] == "alice"
    assert export["account"]["contact_number"] == "+45 5550"
    assert export["account"]["groups"] == ["Friends of alice"]
    assert export["token"]["expires"] is None
    assert [entry["id"] for entry in export["orders"]] == [order.pk]
    assert export["orders"][0]["events"][1]["note"] == "Ring twice, says Ada Brandt."
    assert export["idempotency_keys"] == [
        {"order": order.pk, "idempotency_key": "alice's delivered"}
    ]
    assert export["admin_log"][0]["object_repr"] == "alice"


def test_export_contains_what_staff_wrote_about_the_person(as_alice, alice, clerk):
    order = factories.place(alice, {factories.products.make(): 2})
    add_personal_data(order, clerk)
    export = as_alice.get(EXPORT).json()
    (data,) = export["orders"]
    assert (data["carrier"], data["tracking_number"]) == ("DHL", "Ada Brandt")
    assert data["items"][0]["returned"] == 1
    (correction,) = [event for event in data["events"] if event["action"] == "correct_address"]
    assert correction["shipping_address"]["street_1"] == "Kattesundet 4"
    assert export["order_staff_notes"] == [
        {"order": order.pk, "staff_note": "Ada Brandt pays late."}
    ]


def test_staff_note_is_only_in_the_export(as_alice, as_clerk, alice, clerk):
    order = factories.place(alice, {factories.products.make(): 2})
    add_personal_data(order, clerk)
    for client in (as_alice, as_clerk):
        for path in (f"/api/orders/{order.pk}/", f"/api/orders/?customer={alice.pk}"):
            assert "pays late" not in client.get(path).content.decode()
    assert "pays late" not in as_clerk.get("/api/changes/?expand=object").content.decode()


def test_export_without_a_token_is_json_too(alice, in_the_admin):
    AccessToken.revoke(alice)
    page = in_the_admin.get(f"/admin/customers/customer/{alice.pk}/export/")
    assert json.loads(page.getvalue())["token"] is None


def test_export_contains_no_data_of_other_customers(as_bob, bob, alice, clerk):
    order_in("delivered", alice, clerk)
    text = as_bob.get(EXPORT).content.decode()
    assert "alice" not in text
    assert as_bob.get(EXPORT).json()["orders"] == []


def test_export_of_staff_contains_their_work_on_orders_and_stock(as_clerk, alice, clerk):
    order = order_in("shipped", alice, clerk)
    adjustment = factories.products.make().adjust_stock(5, reason="delivery", by=clerk)
    export = as_clerk.get(EXPORT).json()
    assert [event["order"] for event in export["order_events"]] == [order.pk, order.pk]
    assert [entry["id"] for entry in export["stock_adjustments"]] == [adjustment.pk]
    assert export["orders"] == []


def test_export_contains_no_secrets(as_alice, alice):
    text = as_alice.get(EXPORT).content.decode()
    assert alice.auth_token.key not in text
    assert alice.password not in text


def test_every_model_that_refers_to_a_customer_is_exported():
    """A new relation fails here until it is exported and erased too."""
    sections = {
        "Token": "token",
        "LogEntry": "admin_log",
        "Order": "orders",
        "OrderEvent": "order_events",
        "BulkTransition": "bulk_transitions",
        "StockAdjustment": "stock_adjustments",
        "ProductImage": "product_images",
        "BulkUpdate": "bulk_updates",
        "Customer_groups": "account",
        "Customer_user_permissions": "account",
    }
    fields = Customer._meta.get_fields(include_hidden=True)
    related_models = {
        field.related_model.__name__ for field in fields if field.one_to_many or field.one_to_one
    }
    assert related_models - {"Customer"} == set(sections)


def test_every_field_of_a_customer_is_exported(alice):
    fields = {field.name for field in Customer._meta.concrete_fields}
    assert fields - set(alice.export()["account"]) == {"password", "closed"}


def test_export_is_refused_while_other_threads_export(as_alice, alice, in_the_admin, settings):
    with ExitStack() as stack:
        for _ in range(settings.BLOCKING_THREADS - 1):
            stack.enter_context(exporting.acquire())
        response = as_alice.get(EXPORT)
        assert (response.status_code, response["Retry-After"]) == (503, "1")
        page = in_the_admin.get(f"/admin/customers/customer/{alice.pk}/export/", follow=True)
        assert "The server is busy" in page.content.decode()
    assert as_alice.get(EXPORT).status_code == 200


def test_unread_export_releases_its_slot(alice, settings):
    for _ in range(settings.BLOCKING_THREADS):
        ExportStream(alice).close()


def test_admin_log_does_not_name_staff_with_closed_accounts(client, clerk, alice):
    """Neither in entries about their account, nor in entries about what they changed."""
    Customer.objects.filter(pk=clerk.pk).update(
        is_superuser=True, first_name="Ottilie", last_name="Wintergreen"
    )
    chief, chief_client = factories.customers.make(is_staff=True, is_superuser=True), Client()
    client.force_login(clerk)
    chief_client.force_login(chief)
    AccessToken.revoke(clerk)
    pages = (
        (client, f"customers/customer/{alice.pk}/close/", {}),
        (client, "auth/group/add/", {"name": "Masters"}),
        (chief_client, "customers/accesstoken/add/", {"user": clerk.pk}),
        (chief_client, f"customers/accesstoken/{clerk.pk}/delete/", {"post": "yes"}),
        (
            chief_client,
            f"customers/customer/{clerk.pk}/password/",
            dict.fromkeys(PASSWORDS, "my-bee-loud-glade"),
        ),
        (chief_client, f"customers/customer/{clerk.pk}/close/", {}),
    )
    for browser, path, form in pages:
        assert browser.post(f"/admin/{path}", form).status_code == 302, path
    assert {clerk, chief} <= {entry.user for entry in LogEntry.objects.all()}
    chief_client.get("/admin/")  # shows the success messages, once
    pages_text = "".join(
        chief_client.get(path).content.decode()
        for path in ("/admin/", f"/admin/customers/customer/{clerk.pk}/history/")
    )
    for text in (pages_text, str([*LogEntry.objects.values()])):
        for word in ("clerk", "Ottilie", "Wintergreen"):
            assert text.count(word) == 0, text[text.find(word) - 200 :][:400]
