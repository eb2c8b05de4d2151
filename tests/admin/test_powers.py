"""Powers over the shop are handed out by superusers alone, and one of them always stays."""

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission
from django.test import Client

from customers.models import Customer
from customers.tokens import AccessToken
from tests import factories

CUSTOMERS = "/admin/customers/customer"
GROUPS = "/admin/auth/group"


@pytest.fixture
def with_every_permission(client, clerk):
    """A browser of a member of staff who may do everything that a permission is for."""
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    return client


@pytest.fixture
def in_the_admin_as_superuser(db):
    browser = Client()
    browser.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    return browser


def form_of(page):
    """What a browser would send of the form on this page."""
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    return {
        name: [*value] if isinstance(value, list | tuple) else value
        for name, value in values.items()
        if value not in (None, False)
    }


@pytest.mark.parametrize("path", [f"{GROUPS}/{end}/" for end in ("add", "{}/change", "{}/delete")])
def test_groups_are_for_superusers(with_every_permission, in_the_admin_as_superuser, path):
    group = Group.objects.create(name="Clerks")
    path = path.format(group.pk)
    form = {"name": "Mine", "permissions": [Permission.objects.first().pk], "post": "yes"}
    assert with_every_permission.post(path, form).status_code == 403
    assert Group.objects.get().name == "Clerks"
    assert in_the_admin_as_superuser.post(path, form).status_code == 302


@pytest.mark.parametrize("who", ["clerk", "alice"])
def test_staff_give_nobody_a_power(with_every_permission, alice, clerk, who):
    customer = {"clerk": clerk, "alice": alice}[who]
    page = f"{CUSTOMERS}/{customer.pk}/change/"
    group = Group.objects.create(name="Managers")
    form = form_of(with_every_permission.get(page))
    form |= {"is_superuser": "on", "is_staff": "on", "groups": [group.pk], "user_permissions": [1]}
    before = customer.is_staff, set(customer.user_permissions.all())
    with_every_permission.post(page, form)
    customer.refresh_from_db()
    assert not customer.is_superuser
    assert not customer.groups.exists()
    assert (customer.is_staff, set(customer.user_permissions.all())) == before


@pytest.mark.parametrize("power", ["is_superuser", "is_active"])
def test_last_superuser_stays(in_the_admin_as_superuser, alice, power):
    superuser = Customer.objects.get(is_superuser=True)
    page = f"{CUSTOMERS}/{superuser.pk}/change/"
    form = form_of(in_the_admin_as_superuser.get(page))
    del form[power]
    answer = in_the_admin_as_superuser.post(page, form)
    assert "This is the last superuser" in answer.content.decode()
    superuser.refresh_from_db()
    assert superuser.is_superuser
    assert superuser.is_active
    factories.customers.make(is_staff=True, is_superuser=True)
    assert in_the_admin_as_superuser.post(page, form).status_code == 302
    superuser.refresh_from_db()
    assert not getattr(superuser, power)


def powers():
    """Who holds which powers, and what each group is good for."""
    customers = {
        customer.pk: (
            *(customer.is_staff, customer.is_superuser),
            {group.pk for group in customer.groups.all()},
            {permission.pk for permission in customer.user_permissions.all()},
        )
        for customer in Customer.objects.all()
    }
    return customers, {group.pk: {*group.permissions.all()} for group in Group.objects.all()}


def injected(group):
    """What a form would need to give every power, in the names of all forms that have one."""
    return {
        **dict.fromkeys(("is_staff", "is_superuser", "is_active"), "on"),
        "groups": [group.pk],
        "user_permissions": [permission.pk for permission in Permission.objects.all()],
        "permissions": [permission.pk for permission in Permission.objects.all()],
    }


@pytest.fixture
def one_of_each(alice, bob, product):
    """An instance of each model that the admin has."""
    factories.place(alice, {product: 1})
    AccessToken.issue(alice)
    return Group.objects.create(name="Managers")


@pytest.mark.parametrize("model_admin", site._registry.values(), ids=str)
def test_no_form_of_the_admin_hands_out_a_power(with_every_permission, one_of_each, model_admin):
    model, before, reached = model_admin.model, powers(), 0
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
    pages = [f"{base}/add/", *(f"{base}/{each.pk}/change/" for each in model.objects.all())]
    for page in pages:
        answer = with_every_permission.get(page)
        if answer.status_code == 200 and "adminform" in answer.context:
            reached += 1
            form = form_of(answer) if hasattr(answer.context["adminform"].form, "fields") else {}
            with_every_permission.post(page, form | injected(one_of_each))
    assert powers() == before
    assert reached or model is Group


@pytest.mark.parametrize("model_admin", site._registry.values(), ids=str)
def test_no_action_of_the_admin_hands_out_a_power(with_every_permission, one_of_each, model_admin):
    opts, before = model_admin.model._meta, powers()
    page = f"/admin/{opts.app_label}/{opts.model_name}/"
    request = with_every_permission.get("/admin/").wsgi_request
    selected = [each.pk for each in model_admin.model.objects.all()]
    for name in model_admin.get_actions(request):
        form = {"action": name, "_selected_action": selected, "post": "yes", "index": 0}
        answer = with_every_permission.post(page, form | injected(one_of_each))
        assert answer.status_code in (200, 302), name
    assert powers() == before
