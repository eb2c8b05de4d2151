import pytest
from django.contrib.auth.models import Group, Permission

from customers.models import Customer
from tests import factories
from tests.forms import submit

STAFF = "/admin/customers/staff"
CUSTOMERS = "/admin/customers/customer"


def usernames(page):
    return [account.username for account in page.context["cl"].queryset]


@pytest.fixture
def as_viewer(client, clerk):
    clerk.user_permissions.set(Permission.objects.filter(codename="view_customer"))
    client.force_login(clerk)
    return client


def test_staff_and_customers_have_lists_of_their_own(as_viewer, alice):
    assert usernames(as_viewer.get(f"{STAFF}/")) == ["clerk"]
    assert usernames(as_viewer.get(f"{CUSTOMERS}/")) == ["alice"]
    assert usernames(as_viewer.get(f"{CUSTOMERS}/?q=a")) == ["alice"]


def test_superuser_adds_an_account_of_staff_with_its_groups(in_the_admin, client):
    group = Group.objects.create(name="Packers")
    fields = {"username": "dora", "groups": [group.pk], "password1": factories.PASSWORD}
    response = submit(in_the_admin, f"{STAFF}/add/", password2=factories.PASSWORD, **fields)
    assert response.status_code == 302
    dora = Customer.objects.get(username="dora")
    assert (dora.is_staff, dora.is_superuser, *dora.groups.all()) == (True, False, group)
    page = in_the_admin.get(response["Location"], follow=True)
    assert page.wsgi_request.path == f"{CUSTOMERS}/{dora.pk}/change/"
    history = in_the_admin.get(f"{CUSTOMERS}/{dora.pk}/history/").context["action_list"]
    assert [entry.get_change_message() for entry in history] == ["Added."]
    client.logout()
    assert client.login(username="dora", password=factories.PASSWORD)


def test_account_added_under_customers_is_no_staff(in_the_admin):
    password = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    submit(in_the_admin, f"{CUSTOMERS}/add/", username="dora", **password)
    assert not Customer.objects.get(username="dora").is_staff


def test_user_name_of_a_customer_is_refused(in_the_admin, alice):
    response = submit(in_the_admin, f"{STAFF}/add/", username="ALICE")
    assert "This user name is taken." in response.content.decode()


def test_only_superusers_add_staff(client, clerk):
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    assert client.get(f"{STAFF}/").status_code == 200
    assert client.get(f"{STAFF}/add/").status_code == 403
    assert client.post(f"{STAFF}/add/", {"username": "dora"}).status_code == 403


def test_account_of_staff_has_one_page(in_the_admin, clerk):
    page = in_the_admin.get(f"{STAFF}/").content.decode()
    assert f'href="{CUSTOMERS}/{clerk.pk}/change/"' in page
    for name in ("change", "history"):
        response = in_the_admin.get(f"{STAFF}/{clerk.pk}/{name}/")
        assert response["Location"] == f"{CUSTOMERS}/{clerk.pk}/{name}/"


def test_page_of_an_account_leads_back_to_its_list(in_the_admin, alice, clerk):
    for account, path in ((alice, CUSTOMERS), (clerk, STAFF)):
        page = f"{CUSTOMERS}/{account.pk}/change/"
        assert f'&rsaquo; <a href="{path}/">' in in_the_admin.get(page).content.decode()
        assert submit(in_the_admin, page, city="Ribe")["Location"] == f"{path}/"


def test_staff_can_be_chosen_where_a_customer_is(in_the_admin, clerk):
    query = "app_label=customers&model_name=accesstoken&field_name=user&term=clerk"
    choices = in_the_admin.get(f"/admin/autocomplete/?{query}").json()["results"]
    assert [choice["text"] for choice in choices] == ["clerk"]
