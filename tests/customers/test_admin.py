import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission

from customers.models import Customer
from tests import factories
from tests.forms import submit


@pytest.fixture
def in_the_admin_as_staff(client, clerk):
    """A browser logged in as staff with permission to change customers, not as a superuser."""
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="customers"))
    client.force_login(clerk)
    return client


def test_customers_are_found_by_name_city_and_email(in_the_admin, alice, bob):
    page = in_the_admin.get("/admin/customers/customer/?q=alice").content.decode()
    assert "alice" in page
    assert "bob@" not in page
    assert (
        in_the_admin.get("/admin/customers/customer/?q=Aarhus&country=Denmark").status_code == 200
    )


def test_list_shows_the_date_that_a_customer_joined(in_the_admin, alice):
    alice.date_joined = datetime(2026, 3, 5, 17, 40, tzinfo=UTC)
    alice.save()
    page = in_the_admin.get("/admin/customers/customer/?q=alice").content.decode()
    assert '<td class="field-joined">5 Mar 2026</td>' in page


def test_address_is_changed_on_the_customers_page(in_the_admin, alice):
    page = f"/admin/customers/customer/{alice.pk}/change/"
    assert submit(in_the_admin, page, city="Ribe").status_code == 302
    alice.refresh_from_db()
    assert alice.city == "Ribe"


def test_customer_is_added_with_a_password(in_the_admin):
    response = in_the_admin.post(
        "/admin/customers/customer/add/",
        {
            "username": "dora",
            "email": "dora@example.com",
            "usable_password": "true",
            "password1": factories.PASSWORD,
            "password2": factories.PASSWORD,
        },
    )
    assert response.status_code == 302
    assert Customer.objects.get(username="dora").check_password(factories.PASSWORD)


def test_user_name_in_other_case_is_refused_in_the_form(in_the_admin, alice):
    response = in_the_admin.post(
        "/admin/customers/customer/add/",
        {
            "username": "ALICE",
            "usable_password": "true",
            "password1": factories.PASSWORD,
            "password2": factories.PASSWORD,
        },
    )
    assert response.status_code == 200
    assert "This user name is taken." in response.content.decode()


def test_staff_cannot_grant_themselves_privileges(in_the_admin_as_staff, clerk):
    page = f"/admin/customers/customer/{clerk.pk}/change/"
    assert in_the_admin_as_staff.get(page).status_code == 200
    assert submit(in_the_admin_as_staff, page, is_superuser="on").status_code == 302
    clerk.refresh_from_db()
    assert not clerk.is_superuser


def test_staff_cannot_set_the_password_of_a_superuser(in_the_admin_as_staff):
    root = factories.customers.make(is_superuser=True, is_staff=True)
    page = f"/admin/customers/customer/{root.pk}/password/"
    assert in_the_admin_as_staff.get(page).status_code == 403


def test_staff_cannot_manage_accounts_of_other_staff(in_the_admin_as_staff, alice):
    other = factories.customers.make(is_staff=True)
    page = f"/admin/customers/customer/{other.pk}"
    assert in_the_admin_as_staff.get(f"{page}/password/").status_code == 403
    assert in_the_admin_as_staff.get(f"{page}/export/").status_code == 403
    assert in_the_admin_as_staff.get(f"{page}/close/").status_code == 403
    assert in_the_admin_as_staff.post(f"{page}/close/").status_code == 403
    assert "Close the account" not in in_the_admin_as_staff.get(f"{page}/change/").content.decode()
    page = f"/admin/customers/customer/{alice.pk}"
    assert in_the_admin_as_staff.get(f"{page}/password/").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "customers/customer/?auth_token__key__startswith=a",
        "customers/customer/?password__startswith=a",
        "customers/customer/?username__regex=(",
        "customers/customer/?country__regex=(a%2B)%2B$",
        "customers/accesstoken/?key__startswith=a",
        "customers/accesstoken/?user__password__startswith=a",
        "orders/order/?customer__password__startswith=a",
        "products/product/?name__regex=[",
        "products/stockadjustment/?actor__password__startswith=a",
    ],
)
def test_list_rejects_filters_that_it_does_not_offer(in_the_admin, query):
    assert in_the_admin.get(f"/admin/{query}").status_code == 400


def change(browser, customer, **changes):
    """Save the customer's page with `changes`."""
    response = submit(browser, f"/admin/customers/customer/{customer.pk}/change/", **changes)
    assert response.status_code == 302, response.context["errors"]


def test_token_outlives_a_change_of_address(in_the_admin, api, alice):
    as_alice = api.as_user(alice)
    change(in_the_admin, alice, city="Ribe")
    assert as_alice.get("/api/customers/me/").data["city"] == "Ribe"


def test_deactivating_revokes_the_token(in_the_admin, api, alice):
    as_alice = api.as_user(alice)
    change(in_the_admin, alice, is_active=[])
    change(in_the_admin, alice, is_active="on")
    assert as_alice.get("/api/customers/me/").status_code == 401


@pytest.mark.parametrize(
    "form",
    [
        {"usable_password": "true", "password1": "my-bee-loud-glade", "set-password": ""},
        {"usable_password": "false", "unset-password": ""},
    ],
)
def test_setting_or_disabling_the_password_revokes_the_token(in_the_admin, api, alice, form):
    as_alice = api.as_user(alice)
    page = f"/admin/customers/customer/{alice.pk}/password/"
    form = form | {"password2": form.get("password1", "")}
    assert in_the_admin.post(page, form).status_code == 302
    assert as_alice.get("/api/customers/me/").status_code == 401
    alice.refresh_from_db()
    assert alice.check_password("my-bee-loud-glade") == (form["usable_password"] == "true")


NEW = {"usable_password": "true", "password1": factories.PASSWORD, "password2": factories.PASSWORD}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"username": "Alice@example.com"}, "username"),
        ({"username": "dora", "email": "ALICE@example.com"}, "email"),
    ],
)
def test_name_and_address_of_two_customers_differ(in_the_admin, alice, fields, field):
    alice.update_fields(email_confirmed=True)
    response = in_the_admin.post("/admin/customers/customer/add/", NEW | fields)
    assert response.context["errors"]
    assert response.context["adminform"].form.errors.keys() == {field}
    page = f"/admin/customers/customer/{factories.customers.make().pk}/change/"
    response = submit(in_the_admin, page, **fields)
    assert response.context["adminform"].form.errors.keys() == {field}


def test_customer_whose_name_is_the_address_of_another_can_be_saved(in_the_admin, alice):
    eve = factories.customers.make(username="alice@example.com")  # by an earlier release
    change(in_the_admin, eve, city="Ribe")
    change(in_the_admin, alice, city="Ribe")
    assert Customer.objects.filter(city="Ribe").count() == 2


def test_note_of_staff_is_kept_on_the_page_and_found_by_no_search(in_the_admin, alice):
    page = f"/admin/customers/customer/{alice.pk}/change/"
    assert submit(in_the_admin, page, staff_note="Rings twice.").status_code == 302
    page = in_the_admin.get(page).content.decode()
    assert "Rings twice.</textarea>" in page
    assert "For the shop&#x27;s staff." in page or "For the shop's staff." in page
    matches = in_the_admin.get("/admin/customers/customer/?q=twice").context["cl"].queryset
    assert not matches.exists()


def test_page_shows_the_orders_of_the_customer(in_the_admin, alice, bob, product):
    page = f"/admin/customers/customer/{alice.pk}/change/"
    assert "None yet." in in_the_admin.get(page).content.decode()
    factories.place(alice, {product: 2})
    cancelled = factories.place(alice, {product: 1})
    cancelled.cancel(by=alice)
    factories.place(bob, {product: 1})
    text = in_the_admin.get(page).content.decode()
    assert "1 order for 25.00 EUR,\nnot counting cancelled ones." in text
    assert f'<a href="/admin/orders/order/{cancelled.pk}/change/">{cancelled}</a>' in text
    (link,) = re.findall('href="(.*?)">All orders<', text)
    assert {order.customer for order in in_the_admin.get(link).context["cl"].queryset} == {alice}


def test_orders_of_a_customer_are_for_those_who_may_see_orders(in_the_admin_as_staff, alice, clerk):
    page = f"/admin/customers/customer/{alice.pk}/change/"
    assert "None yet." not in in_the_admin_as_staff.get(page).content.decode()
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    assert "None yet." in in_the_admin_as_staff.get(page).content.decode()


@pytest.mark.parametrize(
    "text",
    [
        *("+45 (0)86 12-34 56", "86 12 34 56", "086-123456", "(86) 12.34.56", "86123456"),
        *("12 34 56", "alice 86"),
    ],
)
def test_contact_number_is_found_however_it_is_written(in_the_admin, alice, bob, text):
    alice.update_fields(contact_number="+45 (0)86 12-34 56")
    bob.update_fields(contact_number="+45 86 12 34 57")
    page = in_the_admin.get("/admin/customers/customer/", {"q": text})
    assert [customer.pk for customer in page.context["cl"].result_list] == [alice.pk]
