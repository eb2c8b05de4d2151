"""With STAFF_API_PERMISSIONS, each operation of staff needs the permissions of the admin.

Without the permissions, staff get what a customer gets. Without the setting, all staff may do
everything, as `tests/api/test_permissions.py` says.
"""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from tests import factories, pictures
from tests.api import test_permissions

COUNTED = {"quantity_in_stock": 3}
DELIVERY = {"delta": 12, "reason": "delivery"}
PRODUCT = {"name": "Mocha", "price": "9.00"}
CATEGORY = {"name": "Decaf", "slug": "decaf"}
FOR_ALICE = {"items": [{"product": "{product}", "quantity": 1}], "customer": "{alice}"}
RETURN = {"items": [{"product": "{ordered}", "quantity": 1}]}
ADDRESS = {"shipping_address": {"street_1": "Strandvejen 3", "city": "Ribe", "country": "Denmark"}}
CHANGE_ORDER = ["orders.change_order"]
ORDER_FOR_OTHERS = ["orders.add_order", "customers.view_customer"]
SEE_ALL = ["products.view_product", "orders.view_order", "customers.view_customer"]

# fmt: off
TABLE = [
    # method, path, body, permissions,                                             without, with
    ("GET",    "/api/customers/{alice}/", None, ["customers.view_customer"],           404, 200),
    ("GET",    "/api/products/{retired}/", None, ["products.view_product"],            404, 200),
    ("POST",   "/api/products/", PRODUCT, ["products.add_product"],                    403, 201),
    ("PUT",    "/api/products/{product}/", PRODUCT, ["products.change_product"],       403, 200),
    ("PATCH",  "/api/products/{product}/", PRODUCT, ["products.change_product"],       403, 200),
    ("PATCH",  "/api/products/{product}/", COUNTED,
     ["products.change_product", "products.add_stockadjustment"],                      403, 200),
    ("DELETE", "/api/products/{product}/", None, ["products.delete_product"],          403, 204),
    ("POST",   "/api/products/{product}/images/", "{a picture}",
     ["products.change_product"],                                                      403, 201),
    ("PATCH",  "/api/products/{product}/images/{image}/", {"alt": "x"},
     ["products.change_product"],                                                      403, 200),
    ("DELETE", "/api/products/{product}/images/{image}/", None,
     ["products.change_product"],                                                      403, 204),
    ("POST",   "/api/products/{product}/adjust-stock/", DELIVERY,
     ["products.add_stockadjustment"],                                                 403, 201),
    ("GET",    "/api/products/{product}/stock-history/", None,
     ["products.view_stockadjustment"],                                                403, 200),
    ("GET",    "/api/categories/hidden/", None, ["products.view_category"],            404, 200),
    ("POST",   "/api/categories/", CATEGORY, ["products.add_category"],                403, 201),
    ("PATCH",  "/api/categories/tea/", CATEGORY | {"slug": "tea"},
     ["products.change_category"],                                                     403, 200),
    ("DELETE", "/api/categories/tea/", None, ["products.delete_category"],             403, 200),
    ("GET",    "/api/orders/{order}/", None, ["orders.view_order"],                    404, 200),
    ("POST",   "/api/orders/", FOR_ALICE, ORDER_FOR_OTHERS,                            400, 201),
    ("POST",   "/api/orders/quote/", FOR_ALICE, ORDER_FOR_OTHERS,                      400, 200),
    ("POST",   "/api/orders/{order}/cancel/", None, CHANGE_ORDER,                      404, 200),
    ("POST",   "/api/orders/{order}/confirm/", None, CHANGE_ORDER,                     404, 200),
    ("POST",   "/api/orders/{confirmed}/ship/", None, CHANGE_ORDER,                    404, 200),
    ("POST",   "/api/orders/{shipped}/deliver/", None, CHANGE_ORDER,                   404, 200),
    ("POST",   "/api/orders/{shipped}/undo/", None, CHANGE_ORDER,                      404, 200),
    ("POST",   "/api/orders/{shipped}/return/", RETURN, CHANGE_ORDER,                  404, 200),
    ("POST",   "/api/orders/{order}/correct-address/", ADDRESS, CHANGE_ORDER,          404, 200),
    ("GET",    "/api/changes/", None, SEE_ALL,                                         403, 200),
]
# fmt: on
# Lists, which are shorter without the permission.
LISTS = [
    ("/api/customers/", "customers.view_customer"),
    ("/api/customers/?search=alice", "customers.view_customer"),
    ("/api/products/?items_per_page=100", "products.view_product"),
    ("/api/products/?items_per_page=100&ordering=name", "products.view_product"),
    ("/api/orders/?customer=all", "orders.view_order"),
    ("/api/orders/?customer={alice}", "orders.view_order"),
]

common_ids = test_permissions.ids  # a fixture


@pytest.fixture
def ids(common_ids):
    (item,) = Order.objects.get(pk=common_ids["shipped"]).item_list
    return common_ids | {"ordered": item.product_id}


@pytest.fixture(autouse=True)
def staff_api_permissions(ids, settings):
    settings.STAFF_API_PERMISSIONS = True


def grant(user, *names):
    """Set the user's permissions to those with these names, such as `orders.view_order`."""
    permissions = [
        Permission.objects.get(content_type__app_label=app, codename=codename)
        for app, codename in (name.split(".") for name in names)
    ]
    user.user_permissions.set(permissions)


def with_ids(value, ids):
    """Return the value with the names in braces replaced by ids."""
    if isinstance(value, dict):
        return {key: with_ids(part, ids) for key, part in value.items()}
    if isinstance(value, list):
        return [with_ids(part, ids) for part in value]
    return ids[value[1:-1]] if isinstance(value, str) and value[0] == "{" else value


def send(client, row, ids):
    method, path, body, *_ = row
    body = body if body == "{a picture}" else with_ids(body, ids)
    return pictures.send(client, method, path.format(**ids), body)


def test_staff_without_permission_get_what_a_customer_gets(ids, as_clerk, as_bob, isolated_subtest):
    for row in TABLE:
        with isolated_subtest(row=row):
            response, to_customer = send(as_clerk, row, ids), send(as_bob, row, ids)
            assert response.status_code == to_customer.status_code == row[4]
            assert response.json()["code"] == to_customer.json()["code"]


def test_staff_with_exactly_the_permissions_may_do_it(ids, as_clerk, clerk, isolated_subtest):
    for row in TABLE:
        with isolated_subtest(row=row):
            grant(clerk, *row[3])
            assert send(as_clerk, row, ids).status_code == row[5]


def test_every_one_of_the_permissions_is_needed(ids, as_clerk, clerk, isolated_subtest):
    everything = Permission.objects.all()
    for row in TABLE:
        with isolated_subtest(row=row):
            for missing in row[3]:
                app, codename = missing.split(".")
                excluded = {codename, codename.replace("view_", "change_")}
                clerk.user_permissions.set(everything.exclude(codename__in=excluded))
                response = send(as_clerk, row, ids)
                assert response.status_code in (400, 403, 404)
                if response.status_code != 404:
                    assert f"lacks the permission {missing}." in response.json()["detail"]


def test_permissions_of_a_group_count(ids, as_clerk, clerk, isolated_subtest):
    for row in TABLE:
        with isolated_subtest(row=row):
            grant(clerk, *row[3])
            group = Group.objects.create(name="Packers")
            group.permissions.set(clerk.user_permissions.all())
            clerk.user_permissions.clear()
            clerk.groups.add(group)
            assert send(as_clerk, row, ids).status_code == row[5]


def test_superuser_may_do_everything(ids, api, isolated_subtest):
    root = factories.customers.make(is_staff=True, is_superuser=True)
    for row in TABLE:
        with isolated_subtest(row=row):
            assert send(api.as_user(root), row, ids).status_code == row[5]


def test_without_the_setting_all_staff_may_do_everything(ids, as_clerk, settings, isolated_subtest):
    settings.STAFF_API_PERMISSIONS = False
    for row in TABLE:
        with isolated_subtest(row=row):
            assert send(as_clerk, row, ids).status_code == row[5]


def test_permissions_without_the_status_of_staff_are_of_no_use(ids, as_bob, bob, isolated_subtest):
    for row in TABLE:
        with isolated_subtest(row=row):
            bob.user_permissions.set(Permission.objects.all())
            assert send(as_bob, row, ids).status_code == row[4]


def rows_of(response):
    data = response.json()
    return data if isinstance(data, list) else data["results"]


@pytest.mark.parametrize(("path", "permission"), LISTS)
def test_list_has_the_rows_of_others_only_with_the_permission(
    path, permission, ids, as_clerk, clerk, as_bob, settings
):
    path = path.format(**ids)
    to_customer, without = rows_of(as_bob.get(path)), rows_of(as_clerk.get(path))
    assert len(without) == len(to_customer)
    grant(clerk, permission)
    with_permission = rows_of(as_clerk.get(path))
    assert len(with_permission) > len(without)
    clerk.user_permissions.clear()
    settings.STAFF_API_PERMISSIONS = False
    assert [row["id"] for row in rows_of(as_clerk.get(path))] == [
        row["id"] for row in with_permission
    ]


def test_own_orders_are_open_to_staff_without_permissions(ids, as_clerk, clerk, product):
    order = factories.place(clerk, {product: 1})
    path = f"/api/orders/{order.pk}/"
    assert as_clerk.get(path).json()["actions"] == ["cancel"]
    assert as_clerk.post(f"{path}confirm/").status_code == 403
    assert as_clerk.post(f"{path}cancel/").status_code == 200


def test_who_only_views_orders_changes_none(ids, as_clerk, clerk):
    grant(clerk, "orders.view_order")
    path = f"/api/orders/{ids['order']}/"
    assert as_clerk.get(path).json()["actions"] == []
    for verb in ("confirm", "cancel"):
        response = as_clerk.post(f"{path}{verb}/")
        assert response.status_code == 403
        assert response.json()["code"] == "permission_denied"
        assert response.json()["detail"] == "Your account lacks the permission orders.change_order."


@pytest.mark.parametrize("model", ["products.{}_product", "orders.{}_order"])
def test_who_may_change_may_look(model, ids, as_clerk, clerk):
    grant(clerk, model.format("change"))
    name = "retired" if "product" in model else "order"
    path = "/api/{}s/{}/".format(model.partition("_")[2], ids[name])
    assert as_clerk.get(path).status_code == 200


def test_page_of_the_catalogue_is_cached_for_each_permission(ids, as_clerk, clerk):
    path = "/api/products/?items_per_page=100"
    counts = []
    for names in ([], ["products.view_product"], []):
        grant(clerk, *names)
        counts.append(as_clerk.get(path).json()["count"])
    assert counts[0] == counts[2] == counts[1] - 1


def permission_queries(client, path):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len([query for query in queries if "auth_permission" in query["sql"]])


@pytest.mark.parametrize("path", ["/api/orders/?customer=all", "/api/products/", "/api/customers/"])
def test_permissions_are_read_only_of_staff_and_only_with_the_setting(
    path, ids, as_clerk, as_alice, clerk, settings
):
    grant(clerk, *SEE_ALL)
    assert permission_queries(as_clerk, path) in (1, 2)  # the user's, and those of groups
    assert permission_queries(as_alice, path) == 0
    settings.STAFF_API_PERMISSIONS = False
    assert permission_queries(as_clerk, path) == 0


def test_table_has_every_operation_of_staff():
    """That is: every one which `test_permissions.py` denies to another customer."""
    of_staff = {
        (method, path)
        for method, path, _, (_, _, bob, staff, _) in test_permissions.TABLE
        if bob in (403, 404) and staff in (200, 201, 204)
    }
    assert of_staff <= {row[:2] for row in TABLE}
