"""Only superusers grant privileges, and the last superuser keeps theirs."""

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django_tasks_db.models import DBTaskResult

from customers.models import Customer, Staff
from customers.tokens import AccessToken
from mail.models import OrderMail
from tests import factories
from tests.forms import form_data
from webhooks.models import Delivery, Endpoint

CUSTOMERS = "/admin/customers/customer"
GROUPS = "/admin/auth/group"


@pytest.fixture
def in_the_admin_as_staff(client, clerk):
    """A browser logged in as staff with every permission."""
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    return client


@pytest.fixture
def in_the_admin_as_superuser(db):
    browser = Client()
    browser.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    return browser


@pytest.mark.parametrize("path", [f"{GROUPS}/{end}/" for end in ("add", "{}/change", "{}/delete")])
def test_only_superusers_manage_groups(in_the_admin_as_staff, in_the_admin_as_superuser, path):
    group = Group.objects.create(name="Packers")
    path = path.format(group.pk)
    permission = Permission.objects.get(codename="view_order")
    form = {"name": "Mine", "permissions": [permission.pk], "post": "yes"}
    page = in_the_admin_as_superuser.get(path)
    form |= {"_shown": page.context.get("shown", "")}
    assert in_the_admin_as_staff.post(path, form).status_code == 403
    assert Group.objects.get(pk=group.pk).name == "Packers"
    assert in_the_admin_as_superuser.post(path, form).status_code == 302


@pytest.mark.parametrize("username", ["clerk", "alice"])
def test_staff_cannot_grant_privileges(in_the_admin_as_staff, alice, clerk, username):
    customer = {"clerk": clerk, "alice": alice}[username]
    page = f"{CUSTOMERS}/{customer.pk}/change/"
    group = Group.objects.create(name="Owners")
    form = form_data(in_the_admin_as_staff.get(page))
    form |= {"is_superuser": "on", "is_staff": "on", "groups": [group.pk], "user_permissions": [1]}
    before = customer.is_staff, set(customer.user_permissions.all())
    in_the_admin_as_staff.post(page, form)
    customer.refresh_from_db()
    assert not customer.is_superuser
    assert not customer.groups.exists()
    assert (customer.is_staff, set(customer.user_permissions.all())) == before


@pytest.mark.parametrize("privilege", ["is_superuser", "is_active"])
def test_last_superuser_cannot_be_demoted(in_the_admin_as_superuser, alice, privilege):
    superuser = Customer.objects.get(is_superuser=True)
    page = f"{CUSTOMERS}/{superuser.pk}/change/"
    form = form_data(in_the_admin_as_superuser.get(page))
    del form[privilege]
    response = in_the_admin_as_superuser.post(page, form)
    assert "This is the last superuser" in response.content.decode()
    superuser.refresh_from_db()
    assert superuser.is_superuser
    assert superuser.is_active
    factories.customers.make(is_staff=True, is_superuser=True)
    assert in_the_admin_as_superuser.post(page, form).status_code == 302
    superuser.refresh_from_db()
    assert not getattr(superuser, privilege)


def get_privileges():
    """Return the privileges of every customer, and the permissions of every group."""
    customers = {
        customer.pk: (
            *(customer.is_staff, customer.is_superuser),
            {group.pk for group in customer.groups.all()},
            {permission.pk for permission in customer.user_permissions.all()},
        )
        for customer in Customer.objects.all()
    }
    return customers, {group.pk: {*group.permissions.all()} for group in Group.objects.all()}


def privilege_data(group):
    """Return data that would grant every privilege, under the field names of all forms."""
    return {
        **dict.fromkeys(("is_staff", "is_superuser", "is_active"), "on"),
        "groups": [group.pk],
        "user_permissions": [permission.pk for permission in Permission.objects.all()],
        "permissions": [permission.pk for permission in Permission.objects.all()],
    }


@pytest.fixture
def managers(alice, bob, product):
    """Create an instance of each model in the admin; return the group."""
    order = factories.place(alice, {product: 1})
    OrderMail.objects.create(order=order, name=OrderMail.Name.PLACED)
    AccessToken.issue(alice)
    return Group.objects.create(name="Owners")


@pytest.mark.parametrize("model_admin", site._registry.values(), ids=str)
def test_no_admin_form_grants_privileges_to_staff(in_the_admin_as_staff, managers, model_admin):
    model, before, form_count = model_admin.model, get_privileges(), 0
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
    pages = [f"{base}/add/", *(f"{base}/{instance.pk}/change/" for instance in model.objects.all())]
    for page in pages:
        response = in_the_admin_as_staff.get(page)
        if response.status_code == 200 and "adminform" in response.context:
            form_count += 1
            in_the_admin_as_staff.post(page, form_data(response) | privilege_data(managers))
    assert get_privileges() == before
    assert form_count or model in (Group, Staff, Endpoint, Delivery, DBTaskResult)


@pytest.mark.parametrize("model_admin", site._registry.values(), ids=str)
def test_no_admin_action_grants_privileges_to_staff(in_the_admin_as_staff, managers, model_admin):
    opts, before = model_admin.model._meta, get_privileges()
    page = f"/admin/{opts.app_label}/{opts.model_name}/"
    request = in_the_admin_as_staff.get("/admin/").wsgi_request
    selected = [instance.pk for instance in model_admin.model.objects.all()]
    for name in model_admin.get_actions(request):
        form = {"action": name, "_selected_action": selected, "post": "yes", "index": 0}
        response = in_the_admin_as_staff.post(page, form | privilege_data(managers))
        assert response.status_code in (200, 302), name
    assert get_privileges() == before
