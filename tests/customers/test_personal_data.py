"""What the shop holds of a person: told whole on export, erased when the account is closed."""

import json
import threading
from contextlib import ExitStack

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client as Browser

from customers.models import AccountClosed, Customer
from customers.privacy import ExportStream, exporting
from customers.tokens import AccessToken
from orders.models import Order
from tests import factories
from tests.contract import ContractClient

# Words of alice, as tests.factories makes her.
TELLING = ("alice", "example.com", "'Ada'", "Brandt", "Kattesundet", "Aarhus", "+45 5550")
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
    """An order of alice's that went all the way to the state, with a note on the way."""
    order = factories.place(alice, {factories.products.make(): 2}, key=f"alice's {state}")
    path = {
        "placed": [],
        "confirmed": ["confirm"],
        "shipped": ["confirm", "ship"],
        "delivered": ["confirm", "ship", "deliver"],
        "cancelled": ["cancel"],
    }[state]
    for move in path:
        getattr(order, move)(by=clerk, note="Ring twice, says Ada Brandt.")
    return order


def everything():
    """All rows of all tables that may hold a word of a person, as one text."""
    with connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  of our own tables
            rows += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(rows)


def test_closed_account_leaves_no_word_of_the_person(as_alice, alice, clerk, bob):
    states = ("delivered", "cancelled")
    orders = [order_in(state, alice, clerk) for state in states]
    assert all(word in everything() for word in TELLING)
    bob.groups.clear()
    Group.objects.all().delete()
    assert close(as_alice).status_code == 204
    left = everything()
    for word in TELLING:
        told = [line for line in left.splitlines() if word in line]
        # Only bob, who is another, shares some of her words.
        assert all("'bob'" in line or "clerk" in line for line in told), word
    for order, state in zip(orders, states, strict=True):
        order = Order.objects.prefetch_related("items", "events").get(pk=order.pk)
        assert (order.status, order.customer_id) == (state, alice.pk)
        assert order.shipping_address["country"] == "Denmark"
        assert order.items.get().quantity == 2
        assert order.idempotency_key is None


def test_closed_account_opens_nothing_and_holds_no_powers(as_clerk, clerk):
    clerk.is_superuser = True
    clerk.change_password(factories.PASSWORD)
    clerk.save()
    clerk.user_permissions.set(Permission.objects.all()[:3])
    factories.customers.make(is_superuser=True)
    as_clerk = ContractClient().of(clerk)
    assert close(as_clerk).status_code == 204
    assert as_clerk.get(ME).status_code == 401
    clerk.refresh_from_db()
    assert not clerk.has_usable_password()
    assert not any((clerk.is_active, clerk.is_staff, clerk.is_superuser))
    assert not clerk.user_permissions.exists()
    assert clerk.closed


def test_last_superuser_is_not_closed(api, clerk):
    clerk.change_password(factories.PASSWORD)
    Customer.objects.filter(pk=clerk.pk).update(is_superuser=True)
    factories.customers.make(is_superuser=True, is_active=False)
    refusal = close(api.of(clerk))
    assert (refusal.status_code, refusal.json()["code"]) == (409, "last_superuser")
    assert api.of(clerk).get(ME).json()["username"] == "clerk"


def test_password_set_while_the_account_is_closed_brings_nothing_back(alice):
    """To hash it takes a while; the row may be another one then."""
    meanwhile = Customer.objects.get(pk=alice.pk)
    alice.close()
    with pytest.raises(AccountClosed):
        meanwhile.change_password("my-bee-loud-glade")
    alice.refresh_from_db()
    assert (alice.username, alice.email) == (f"closed {alice.pk}", "")
    assert not alice.has_usable_password()


@pytest.mark.parametrize(
    ("state", "moves"),
    [
        ("placed", ["confirm", "ship", "deliver"]),
        ("confirmed", ["ship", "deliver"]),
        ("shipped", ["deliver"]),
        ("placed", ["cancel"]),
        ("confirmed", ["cancel"]),
    ],
)
def test_parcel_under_way_keeps_its_address_until_it_is_there(state, moves, alice, clerk):
    order = order_in(state, alice, clerk)
    alice.close()
    *on_the_way, last = moves
    for move in on_the_way:
        getattr(order, move)(by=clerk)
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


def test_copies_kept_by_modified_after_learn_of_the_erasure(as_clerk, alice, clerk):
    order = order_in("delivered", alice, clerk)
    before = order.modified
    alice.close()
    order.refresh_from_db()
    assert order.modified > before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["close", "deliver"])
def test_delivery_and_closing_at_once_leave_no_address(first, alice, clerk):
    """Whichever comes first, in whatever order their statements interleave."""
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


def test_export_tells_all_there_is(as_alice, alice, clerk):
    order = order_in("delivered", alice, clerk)
    told = as_alice.get(EXPORT).json()
    assert told["account"]["username"] == "alice"
    assert told["account"]["contact_number"] == "+45 5550"
    assert told["account"]["groups"] == ["Friends of alice"]
    assert told["token"]["expires"] is None
    assert [each["id"] for each in told["orders"]] == [order.pk]
    assert told["orders"][0]["events"][1]["note"] == "Ring twice, says Ada Brandt."
    assert told["idempotency_keys"] == [{"order": order.pk, "idempotency_key": "alice's delivered"}]
    assert told["admin_log"][0]["object_repr"] == "alice"


def test_export_without_a_token_is_json_too(alice, in_the_admin):
    AccessToken.revoke(alice)
    page = in_the_admin.get(f"/admin/customers/customer/{alice.pk}/export/")
    assert json.loads(page.getvalue())["token"] is None


def test_export_tells_nobody_elses(as_bob, bob, alice, clerk):
    order_in("delivered", alice, clerk)
    text = as_bob.get(EXPORT).content.decode()
    assert "alice" not in text
    assert as_bob.get(EXPORT).json()["orders"] == []


def test_export_of_staff_tells_what_they_did_for_others(as_clerk, alice, clerk):
    order = order_in("shipped", alice, clerk)
    adjustment = factories.products.make().adjust_stock(5, reason="delivery", by=clerk)
    told = as_clerk.get(EXPORT).json()
    assert [event["order"] for event in told["order_events"]] == [order.pk, order.pk]
    assert [each["id"] for each in told["stock_adjustments"]] == [adjustment.pk]
    assert told["orders"] == []


def test_export_holds_no_secret(as_alice, alice):
    text = as_alice.get(EXPORT).content.decode()
    assert alice.auth_token.key not in text
    assert alice.password not in text


def test_every_table_that_points_at_a_customer_is_thought_of():
    """A new one fails here until it is exported and erased too."""
    told = {
        "Token": "token",
        "LogEntry": "admin_log",
        "Order": "orders",
        "OrderEvent": "order_events",
        "StockAdjustment": "stock_adjustments",
        "Customer_groups": "account",
        "Customer_user_permissions": "account",
    }
    relations = Customer._meta.get_fields(include_hidden=True)
    pointing = {
        each.related_model.__name__ for each in relations if each.one_to_many or each.one_to_one
    }
    assert pointing - {"Customer"} == set(told)


def test_every_field_of_a_customer_is_exported(alice):
    fields = {field.name for field in Customer._meta.concrete_fields}
    assert fields - set(alice.export()["account"]) == {"password", "closed"}


def test_export_is_refused_while_other_threads_export(as_alice, alice, in_the_admin, settings):
    with ExitStack() as stack:
        for _ in range(settings.BLOCKING_THREADS - 1):
            stack.enter_context(exporting.take())
        answer = as_alice.get(EXPORT)
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        page = in_the_admin.get(f"/admin/customers/customer/{alice.pk}/export/", follow=True)
        assert "The server is busy" in page.content.decode()
    assert as_alice.get(EXPORT).status_code == 200


def test_export_that_nobody_reads_gives_its_slot_back(alice, settings):
    for _ in range(settings.BLOCKING_THREADS):
        ExportStream(alice).close()


def test_admin_log_does_not_name_staff_who_left(client, clerk, alice):
    """Neither where they are changed, nor where they change others."""
    Customer.objects.filter(pk=clerk.pk).update(
        is_superuser=True, first_name="Ottilie", last_name="Wintergreen"
    )
    chief, browser = factories.customers.make(is_staff=True, is_superuser=True), Browser()
    client.force_login(clerk)
    browser.force_login(chief)
    AccessToken.revoke(clerk)
    pages = (
        (client, f"customers/customer/{alice.pk}/close/", {}),
        (client, "auth/group/add/", {"name": "Managers"}),
        (browser, "customers/accesstoken/add/", {"user": clerk.pk}),
        (browser, f"customers/accesstoken/{clerk.pk}/delete/", {"post": "yes"}),
        (
            browser,
            f"customers/customer/{clerk.pk}/password/",
            dict.fromkeys(PASSWORDS, "my-bee-loud-glade"),
        ),
        (browser, f"customers/customer/{clerk.pk}/close/", {}),
    )
    for who, path, form in pages:
        assert who.post(f"/admin/{path}", form).status_code == 302, path
    assert {clerk, chief} <= {entry.user for entry in LogEntry.objects.all()}
    browser.get("/admin/")  # shows what was done, once
    shown = "".join(
        browser.get(path).content.decode()
        for path in ("/admin/", f"/admin/customers/customer/{clerk.pk}/history/")
    )
    for text in (shown, str([*LogEntry.objects.values()])):
        for word in ("clerk", "Ottilie", "Wintergreen"):
            assert text.count(word) == 0, text[text.find(word) - 200 :][:400]
