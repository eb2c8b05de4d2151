"""Customers exported from the admin's list."""

import csv
import io

import pytest
from django.contrib.auth.models import Permission

PATH = "/admin/customers/customer/export/"


def export(browser, query=""):
    response = browser.post(f"{PATH}{query}", {"resource": 0, "format": 0})
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("query", "names"),
    [("?is_active__exact=0", {"alice"}), ("?q=bob@example.com", {"bob"})],
)
def test_export_has_what_the_list_shows(in_the_admin, alice, bob, query, names):
    alice.is_active = False
    alice.save()
    assert {row["username"] for row in export(in_the_admin, query)} == names


def test_export_has_address_but_no_secrets(in_the_admin, alice):
    alice.staff_note, alice.contact_number = "Pays late", "+45 5550"
    alice.save()
    (row,) = export(in_the_admin, "?q=alice")
    assert list(row) == [
        *("id", "username", "first_name", "last_name", "email", "email_confirmed"),
        "contact_number",
        *("street_1", "street_2", "city", "state", "postal_code", "country"),
        *("is_active", "is_staff", "date_joined", "last_login", "closed"),
    ]
    assert (row["street_1"], row["contact_number"]) == ("Kattesundet 4", "'+45 5550")
    assert (row["is_active"], row["last_login"]) == ("1", "")


def test_export_needs_the_permission_to_view(client, clerk):
    client.force_login(clerk)
    clerk.user_permissions.set(Permission.objects.filter(codename__endswith="_order"))
    assert client.get(PATH).status_code == 403
    assert client.post(PATH, {"resource": 0, "format": 0}).status_code == 403
    clerk.user_permissions.set(Permission.objects.filter(codename="view_customer"))
    assert client.get(PATH).status_code == 200
