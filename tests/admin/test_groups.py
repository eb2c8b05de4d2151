"""The groups of staff: each does its day in the admin, and nothing else."""

import re
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from customers.permission_picker import permission_labels
from tests import factories
from tests.admin import test_permissions
from tests.api import test_staff_permissions
from tests.api.test_staff_permissions import grant
from tests.forms import submit
from tests.servers import database_url
from tests.test_settings import python

DELIVERY = {"adjustments-0-delta": ["12"], "adjustments-0-reason": ["delivery"]}
# Of the rows in the table of all routes, those that the members of a group may do.
STOCK = r"GET products/(?!product/import).*|POST products/product/.*change/"
CUSTOMERS = r"GET autocomplete/.*|GET customers/(staff|customer)/(|export/|.*(change|history)/)"
ORDERS = r"GET (orders/order|mail/ordermail)/.*|POST orders/order/(.*/move|bulk)/.*"
EDITING = r".* products/(product|category)/.*"
MANAGING = r".* customers/customer/.*|GET (customers/acces|auth/).*|POST .*accesstoken.*/delete/"
ALLOWED = {
    "Clerks": f"{STOCK}|{CUSTOMERS}|{ORDERS}",
    "Catalogue": f"{STOCK}|{EDITING}",
    "Managers": f"{STOCK}|{CUSTOMERS}|{ORDERS}|{EDITING}|{MANAGING}",
}

rows = test_permissions.rows  # a fixture


def create_groups():
    """Run the migrations, since tests that commit empty all tables."""
    import_module("shopply.migrations.0001_staff_groups").create_groups(apps, None)
    import_module("shopply.migrations.0002_category_permissions").add_permissions(apps, None)


def names(permissions):
    return {f"{perm.content_type.app_label}.{perm.codename}" for perm in permissions.all()}


def send(browser, method, path, form, rows):
    """Send a row of the table; with a form, what its page carries, if this user sees the page."""
    if method == "POST" and path.endswith("/change/"):
        page = test_permissions.send(browser, "GET", path, None, rows)
        form = form | {"_shown": (page.context or {}).get("shown", "")}
    return test_permissions.send(browser, method, path, form, rows)


@pytest.fixture
def become(client, clerk):
    """A function that makes the clerk a member of this group only, and returns their browser."""

    def become(group):
        create_groups()
        clerk.groups.set([Group.objects.get(name=group)])
        client.force_login(clerk)
        return client

    return become


@pytest.mark.parametrize("group", ALLOWED)
def test_group_may_do_its_day_and_no_more(group, rows, become, isolated_subtest):
    for method, path, form, statuses in test_permissions.TABLE:
        status = statuses[bool(re.fullmatch(ALLOWED[group], f"{method} {path}"))]
        with isolated_subtest(method=method, path=path):
            browser = become(group)
            assert send(browser, method, path, form, rows).status_code == status


def test_clerk_books_a_delivery_and_changes_nothing_else(become, clerk, product):
    page = f"/admin/products/product/{product.pk}/change/"
    browser = become("Clerks")
    html = browser.get(page).content.decode()
    assert 'name="adjustments-0-delta"' in html
    assert 'name="price"' not in html
    assert '<div class="readonly">12.50</div>' in html
    changes = {"name": ["Mine"], "price": ["0.01"], "is_active": []}
    assert submit(browser, page, **DELIVERY, **changes).status_code == 302
    adjustment = product.adjustments.latest("pk")
    assert (adjustment.delta, adjustment.actor) == (12, clerk)
    name, price, stock = product.name, product.price, product.quantity_in_stock
    product.refresh_from_db()
    assert (product.name, str(product.price), product.is_active) == (name, price, True)
    assert product.quantity_in_stock == stock + 12


@pytest.mark.parametrize(
    "names", [["products.view_product"], ["products.add_stockadjustment"], []], ids=str
)
def test_who_may_not_adjust_or_not_look_saves_nothing(names, client, clerk, product):
    grant(clerk, *names)
    client.force_login(clerk)
    response = client.post(f"/admin/products/product/{product.pk}/change/", DELIVERY)
    assert response.status_code == 403
    assert product.adjustments.count() == 1


@pytest.mark.parametrize("permission", ["orders.view_order", "orders.change_order"])
def test_items_and_events_are_shown_with_their_order(permission, client, clerk, alice, product):
    order = factories.place(alice, {product: 2})
    order.confirm(by=clerk, note="It is a gift.")
    grant(clerk, permission)
    client.force_login(clerk)
    html = client.get(f"/admin/orders/order/{order.pk}/change/").content.decode()
    assert product.name in html
    assert "It is a gift." in html
    assert ("/move/" in html) == (permission == "orders.change_order")


def test_migration_leaves_groups_of_the_shop_alone(db):
    create_groups()
    Group.objects.filter(name="Catalogue").delete()
    Group.objects.filter(name="Clerks").update(name="clerks")
    changed = Group.objects.get(name="Managers")
    changed.permissions.clear()
    create_groups()
    assert {*Group.objects.values_list("name", flat=True)} == {"clerks", "Catalogue", "Managers"}
    assert not changed.permissions.exists()


@pytest.mark.parametrize("before", [[], ["auth"], ["orders", "authtoken", "admin"]], ids=str)
def test_groups_come_with_a_new_and_with_an_old_database(before, fresh):
    """With some tables, the permissions of their models are there before the groups."""
    url = database_url(fresh)
    for app in (*before, None):
        result = python("manage.py", "migrate", *([app] if app else []), DATABASE_URL=url)
        assert result.returncode == 0, result.stderr
    code = (
        "import django; django.setup(); from django.contrib.auth.models import Group, Permission; "
        "print(*sorted(f'{group}:{group.permissions.count()}' for group in Group.objects.all())); "
        "print(Permission.objects.count() - Permission.objects.order_by("
        "'content_type', 'codename').distinct().values('content_type', 'codename').count()); "
        "print(Permission.objects.get(codename='view_accesstoken').name)"
    )
    result = python("-c", code, DATABASE_URL=url, DJANGO_SETTINGS_MODULE="shopply.settings")
    assert result.stdout.splitlines() == [
        *("Catalogue:10 Clerks:7 Managers:19", "0", "Can view token")
    ], result.stderr


@pytest.mark.django_db(transaction=True)
def test_migration_is_reversible_and_keeps_the_groups():
    create_groups()
    call_command("migrate", "shopply", "zero", verbosity=0)
    Group.objects.get(name="Clerks").delete()
    assert Group.objects.count() == 2
    call_command("migrate", verbosity=0)
    assert Group.objects.count() == 3


# --- The picker ---------------------------------------------------------------------------------


def offered():
    return {".".join(key) for key in permission_labels(site)}


# What each permission is for: a route that is denied without it, and what else that needs.
USES = {
    "auth.view_group": ("GET auth/group/", []),
    "customers.view_customer": ("GET customers/customer/", []),
    "customers.add_customer": ("GET customers/customer/add/", ["customers.change_customer"]),
    "customers.change_customer": ("POST customers/customer/{alice}/close/", []),
    "customers.view_accesstoken": ("GET customers/accesstoken/", []),
    "customers.delete_accesstoken": ("POST customers/accesstoken/{alice}/delete/", []),
    "orders.view_order": ("GET orders/order/", []),
    "orders.change_order": ("POST orders/order/{order}/move/confirm/", ["orders.view_order"]),
    "products.view_product": ("GET products/product/", []),
    "products.add_product": ("POST products/product/add/", []),
    "products.change_product": ("POST products/product/{product}/change/", []),
    "products.delete_product": ("POST products/product/{product}/delete/", []),
    "products.view_category": ("GET products/category/", []),
    "products.add_category": ("POST products/category/add/", []),
    "products.change_category": ("POST products/category/{category}/change/", []),
    "products.delete_category": (
        *("POST products/category/{category}/delete/", ["products.view_category"]),
    ),
    "products.view_stockadjustment": ("GET products/stockadjustment/", []),
    "products.add_stockadjustment": (
        *("POST products/product/{product}/change/", ["products.view_product"]),
    ),
}


def test_offered_permission_opens_a_page(rows, client, clerk, isolated_subtest):
    client.force_login(clerk)
    for permission, (route, others) in USES.items():
        (row,) = [row for row in test_permissions.TABLE if f"{row[0]} {row[1]}" == route]
        with isolated_subtest(permission=permission):
            grant(clerk, *others)
            assert send(client, *row[:3], rows).status_code == 403
            grant(clerk, permission, *others)
            assert send(client, *row[:3], rows).status_code == row[3][1]


def test_every_offered_permission_has_a_use_in_the_admin_or_the_api():
    in_the_api = {name for row in test_staff_permissions.TABLE for name in row[3]}
    assert USES.keys() | in_the_api == offered()
    assert offered() - USES.keys() == {"orders.add_order"}  # there is no page for it


def test_permission_that_is_not_offered_opens_nothing(rows, client, clerk, isolated_subtest):
    client.force_login(clerk)
    grant(clerk, *offered())
    for method, path, form, _ in test_permissions.TABLE:
        with isolated_subtest(method=method, path=path):
            if send(client, method, path, form, rows).status_code == 403:
                clerk.user_permissions.set(Permission.objects.all())
                assert send(client, method, path, form, rows).status_code == 403


def test_group_of_managers_has_all_that_is_offered(db):
    create_groups()
    assert names(Group.objects.get(name="Managers").permissions) == offered()


def checked(page, name):
    """Return `{label: whether it is checked}` of a picker."""
    boxes = re.findall(
        rf'<input type="checkbox" name="{name}" value="\d+"[^>]*?(checked)?>\s*([^<]*)</label>',
        page.content.decode(),
    )
    return {label.strip(): bool(is_checked) for is_checked, label in boxes}


@pytest.fixture
def hidden(db):
    """A permission that means nothing in the admin."""
    return Permission.objects.get(codename="change_session")


@pytest.fixture(params=["group", "customer"])
def holder(request, alice, hidden):
    """A page with a picker, the field of the picker, and the permissions that it is about."""
    if request.param == "group":
        group = Group.objects.create(name="Packers")
        group.permissions.add(hidden)
        return f"/admin/auth/group/{group.pk}/change/", "permissions", group.permissions
    alice.user_permissions.add(hidden)
    page = f"/admin/customers/customer/{alice.pk}/change/"
    return page, "user_permissions", alice.user_permissions


def test_picker_offers_what_means_something_in_words_of_staff(in_the_admin):
    labels = checked(in_the_admin.get("/admin/auth/group/add/"), "permissions")
    assert labels.keys() == {*permission_labels(site).values()}
    assert labels["Orders: move, cancel and correct them, take items back"] is False


def test_hidden_permission_is_shown_where_it_is_held_and_kept(in_the_admin, holder, hidden):
    page, name, permissions = holder
    label = "Sessions | session | Can change session (no page asks for it)"
    assert checked(in_the_admin.get(page), name)[label] is True
    view = Permission.objects.get(codename="view_order")
    assert submit(in_the_admin, page, **{name: [hidden.pk, view.pk]}).status_code == 302
    assert {*permissions.all()} == {hidden, view}
    assert submit(in_the_admin, page).status_code == 302
    assert {*permissions.all()} == {hidden, view}
    assert submit(in_the_admin, page, **{name: [view.pk]}).status_code == 302
    assert {*permissions.all()} == {view}
    assert label not in checked(in_the_admin.get(page), name)


def test_hidden_permission_cannot_be_given(in_the_admin, holder, hidden):
    page, name, permissions = holder
    other = Permission.objects.get(codename="add_logentry")
    response = submit(in_the_admin, page, **{name: [hidden.pk, other.pk]})
    assert response.context["errors"]
    assert {*permissions.all()} == {hidden}
