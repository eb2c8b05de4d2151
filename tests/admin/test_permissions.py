"""Permissions of every route under /admin/, in one table.

Columns: the clerk (staff without any permission) and root (a superuser). All others are redirected
to the log-in page: anonymous, alice (a customer), and gone (a deactivated superuser whose session
still exists).
"""

import re

import pytest
from django.contrib.auth.models import Group
from django.urls import get_resolver, resolve
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from customers.tokens import AccessToken
from mail.models import OrderMail
from orders.models import BulkTransition, Order
from orders.packing import load_pdf_renderer
from products.categories import Category
from tests import factories
from tests.api.test_permissions import routes
from tests.forms import seen
from tests.tasks import fail
from webhooks.models import Endpoint

AUTOCOMPLETE = "autocomplete/?app_label=customers&model_name=accesstoken&field_name=user"
CUSTOMER = {"username": "alice", "is_active": "on"}
PASSWORD = {"usable_password": "true", "password1": "my-bee-glade", "password2": "my-bee-glade"}
STAFF = PASSWORD | {"username": "packer"}
PRODUCT = {"name": "Mocha", "sku": "MOC-1", "price": "9.00"}
NEW_PRODUCT = PRODUCT | {"quantity_in_stock": 3}
CATEGORY = {"name": "Decaf", "slug": "decaf", "position": 1}
NO_ADJUSTMENT = {
    **{"adjustments-TOTAL_FORMS": 0, "adjustments-INITIAL_FORMS": 0},
    **{"images-TOTAL_FORMS": 0, "images-INITIAL_FORMS": 0},
}
YES = {"post": "yes"}
PDF = 200 if load_pdf_renderer() else 400
ADDRESS = {"name": "Alice", "street_1": "Nørregade 1", "city": "Aarhus", "country": "Denmark"}
ENDPOINT = {"url": "https://8.8.8.8/hook", "is_active": "on"}
TASKS = "django_tasks_database/dbtaskresult"
RUN_AGAIN = {"action": "run_again", "_selected_action": "{task}"}
RETURN = {"quantity_{ordered_product}": 1, "damaged": "no"}

# fmt: off
TABLE = [
    # method, path under /admin/,                          form,                      clerk root
    ("GET",  "",                                           None,                      (200, 200)),
    ("GET",  "password_change/",                           None,                      (200, 200)),
    ("GET",  "password_change/done/",                      None,                      (200, 200)),
    ("GET",  AUTOCOMPLETE,                                 None,                      (403, 200)),
    ("GET",  "jsi18n/",                                    None,                      (200, 200)),
    ("GET",  "r/1/1/",                                     None,                      (404, 404)),
    ("GET",  "products/",                                  None,                      (404, 200)),
    ("GET",  "nothing/here/",                              None,                      (404, 404)),
    ("GET",  "customers/customer/",                        None,                      (403, 200)),
    ("GET",  "customers/customer/add/",                    None,                      (403, 200)),
    ("GET",  "customers/customer/{alice}/",                None,                      (302, 302)),
    ("GET",  "customers/customer/{alice}/change/",         None,                      (403, 200)),
    ("POST", "customers/customer/{alice}/change/",         CUSTOMER,                  (403, 302)),
    ("POST", "customers/customer/{alice}/delete/",         YES,                       (403, 403)),
    ("GET",  "customers/customer/{alice}/history/",        None,                      (403, 200)),
    ("POST", "customers/customer/{alice}/password/",       PASSWORD,                  (403, 302)),
    ("GET",  "customers/customer/{alice}/export/",         None,                      (403, 200)),
    ("GET",  "customers/customer/export/",                 None,                      (403, 200)),
    ("POST", "customers/customer/{alice}/password_link/",  {},                        (403, 302)),
    ("POST", "customers/customer/{alice}/close/",          {},                        (403, 302)),
    ("GET",  "customers/staff/",                           None,                      (403, 200)),
    ("GET",  "customers/staff/add/",                       None,                      (403, 200)),
    ("POST", "customers/staff/add/",                       STAFF,                     (403, 302)),
    ("GET",  "customers/staff/{clerk}/",                   None,                      (302, 302)),
    ("GET",  "customers/staff/{clerk}/change/",            None,                      (302, 302)),
    ("POST", "customers/staff/{clerk}/change/",            CUSTOMER,                  (302, 302)),
    ("POST", "customers/staff/{clerk}/delete/",            YES,                       (403, 403)),
    ("GET",  "customers/staff/{clerk}/history/",           None,                      (302, 302)),
    ("GET",  "customers/accesstoken/",                     None,                      (403, 200)),
    ("POST", "customers/accesstoken/add/",                 {"user": "{clerk}"},       (403, 302)),
    ("GET",  "customers/accesstoken/{alice}/",             None,                      (302, 302)),
    ("GET",  "customers/accesstoken/{alice}/change/",      None,                      (403, 200)),
    ("POST", "customers/accesstoken/{alice}/change/",      {"user": "{clerk}"},       (403, 403)),
    ("POST", "customers/accesstoken/{alice}/delete/",      YES,                       (403, 302)),
    ("GET",  "customers/accesstoken/{alice}/history/",     None,                      (403, 200)),
    ("GET",  "auth/group/",                                None,                      (403, 200)),
    ("POST", "auth/group/add/",                            {"name": "packers"},       (403, 302)),
    ("GET",  "auth/group/{group}/",                        None,                      (302, 302)),
    ("POST", "auth/group/{group}/change/",                 {"name": "packers"},       (403, 302)),
    ("POST", "auth/group/{group}/delete/",                 YES,                       (403, 302)),
    ("GET",  "auth/group/{group}/history/",                None,                      (403, 200)),
    ("GET",  "products/product/",                          None,                      (403, 200)),
    ("GET",  "products/product/export/",                   None,                      (403, 200)),
    ("POST", "products/product/{product}/images/",         None,                      (403, 302)),
    ("GET",  "products/product/import/",                   None,                      (403, 200)),
    ("POST", "products/product/process_import/",           {"key": "x"},              (403, 302)),
    ("POST", "products/product/add/",                      NEW_PRODUCT,               (403, 302)),
    ("GET",  "products/product/{product}/",                None,                      (302, 302)),
    ("POST", "products/product/{product}/change/",         PRODUCT | NO_ADJUSTMENT,   (403, 302)),
    ("POST", "products/product/{product}/delete/",         YES,                       (403, 302)),
    ("GET",  "products/product/{product}/history/",        None,                      (403, 200)),
    ("GET",  "products/product/{product}/stock/",          None,                      (403, 200)),
    ("GET",  "products/category/",                         None,                      (403, 200)),
    ("POST", "products/category/add/",                     CATEGORY,                  (403, 302)),
    ("GET",  "products/category/{category}/",              None,                      (302, 302)),
    ("POST", "products/category/{category}/change/",       CATEGORY,                  (403, 302)),
    ("POST", "products/category/{category}/delete/",       YES,                       (403, 302)),
    ("GET",  "products/category/{category}/history/",      None,                      (403, 200)),
    ("GET",  "products/stockadjustment/",                  None,                      (403, 200)),
    ("GET",  "products/stockadjustment/add/",              None,                      (403, 403)),
    ("GET",  "products/stockadjustment/{adjustment}/",     None,                      (302, 302)),
    ("GET",  "products/stockadjustment/{adjustment}/change/", None,                   (403, 200)),
    ("POST", "products/stockadjustment/{adjustment}/change/", {"delta": 1},           (403, 403)),
    ("POST", "products/stockadjustment/{adjustment}/delete/", YES,                    (403, 403)),
    ("GET",  "products/stockadjustment/{adjustment}/history/", None,                  (403, 200)),
    ("GET",  "orders/order/",                              None,                      (403, 200)),
    ("GET",  "orders/order/export/",                       None,                      (403, 200)),
    ("GET",  "orders/order/add/",                          None,                      (403, 403)),
    ("GET",  "orders/order/{order}/",                      None,                      (302, 302)),
    ("GET",  "orders/order/{order}/change/",               None,                      (403, 200)),
    ("POST", "orders/order/{order}/change/",               {"status": "cancelled"},   (403, 403)),
    ("POST", "orders/order/{order}/delete/",               YES,                       (403, 403)),
    ("GET",  "orders/order/{order}/history/",              None,                      (403, 200)),
    ("GET",  "orders/order/{order}/neighbour/next/",       None,                      (403, 302)),
    ("GET",  "orders/order/{order}/move/cancel/",          None,                      (403, 200)),
    ("POST", "orders/order/{order}/move/confirm/",         {},                        (403, 302)),
    ("GET",  "orders/order/bulk/{bulk}/",                  None,                      (403, 404)),
    ("POST", "orders/order/bulk/{bulk}/",                  {},                        (403, 404)),
    ("POST", "orders/order/bulk/{bulk}/step/",             {},                        (403, 404)),
    ("POST", "orders/order/bulk/{bulk}/stop/",             {},                        (403, 404)),
    ("GET",  "orders/order/print/pick-list/?ids={order}",  None,                      (403, 200)),
    ("GET",  "orders/order/print/packing-slips/?ids={order}", None,                   (403, 200)),
    ("GET",  "orders/order/print/pick-list/pdf/?ids={order}", None,                   (403, PDF)),
    ("GET",  "mail/ordermail/",                            None,                      (403, 200)),
    ("GET",  "mail/ordermail/add/",                        None,                      (403, 403)),
    ("GET",  "mail/ordermail/{mail}/",                     None,                      (302, 302)),
    ("GET",  "mail/ordermail/{mail}/change/",              None,                      (403, 200)),
    ("POST", "mail/ordermail/{mail}/change/",              {"name": "order_placed"},  (403, 403)),
    ("POST", "mail/ordermail/{mail}/delete/",              YES,                       (403, 403)),
    ("GET",  "mail/ordermail/{mail}/history/",             None,                      (403, 200)),
    ("POST", "orders/order/{order}/move/cancel/",          {"note": "Broken."},       (403, 302)),
    ("POST", "orders/order/{order}/move/correct_address/", ADDRESS,                   (403, 302)),
    ("POST", "orders/order/{order}/move/staff_note/",      {"staff-note": "Fragile"}, (403, 302)),
    ("POST", "orders/order/{shipped}/move/undo/",          {},                        (403, 302)),
    ("POST", "orders/order/{shipped}/move/deliver/",       {},                        (403, 302)),
    ("POST", "orders/order/{shipped}/move/return/",        RETURN,                    (403, 302)),
    ("GET",  "webhooks/endpoint/",                         None,                      (403, 200)),
    ("POST", "webhooks/endpoint/add/",                     ENDPOINT,                  (403, 302)),
    ("GET",  "webhooks/endpoint/{endpoint}/",              None,                      (302, 302)),
    ("POST", "webhooks/endpoint/{endpoint}/change/",       ENDPOINT,                  (403, 302)),
    ("POST", "webhooks/endpoint/{endpoint}/delete/",       YES,                       (403, 403)),
    ("GET",  "webhooks/endpoint/{endpoint}/history/",      None,                      (403, 200)),
    ("GET",  "webhooks/delivery/",                         None,                      (403, 200)),
    ("GET",  "webhooks/delivery/add/",                     None,                      (403, 403)),
    ("GET",  "webhooks/delivery/{delivery}/",              None,                      (302, 302)),
    ("GET",  "webhooks/delivery/{delivery}/change/",       None,                      (403, 200)),
    ("POST", "webhooks/delivery/{delivery}/change/",       {"attempts": 9},           (403, 403)),
    ("POST", "webhooks/delivery/{delivery}/delete/",       YES,                       (403, 403)),
    ("GET",  "webhooks/delivery/{delivery}/history/",      None,                      (403, 200)),
    ("GET",  f"{TASKS}/",                                  None,                      (403, 200)),
    ("POST", f"{TASKS}/",                                  RUN_AGAIN,                 (403, 302)),
    ("GET",  f"{TASKS}/add/",                              None,                      (403, 403)),
    ("GET",  f"{TASKS}/{{task}}/",                         None,                      (302, 302)),
    ("GET",  f"{TASKS}/{{task}}/change/",                  None,                      (403, 200)),
    ("POST", f"{TASKS}/{{task}}/change/",                  {},                        (403, 403)),
    ("GET",  f"{TASKS}/{{task}}/history/",                 None,                      (403, 200)),
    ("POST", f"{TASKS}/{{task}}/delete/",                  YES,                       (403, 302)),
]
# fmt: on
OPEN = {"login/", "logout/", "password_reset/", "password_reset/done/"}


@pytest.fixture
def rows(alice, clerk, product):
    ordered_product = factories.products.make()
    AccessToken.issue(alice)
    order = factories.place(alice, {ordered_product: 1})
    shipped = factories.place(alice, {ordered_product: 1})
    shipped.confirm(by=clerk)
    shipped.ship(by=clerk)
    task = fail.enqueue("nobody")
    DBTaskResult.objects.update(status=TaskResultStatus.FAILED)
    endpoint = Endpoint(url="https://8.8.8.8/")
    endpoint.start()
    endpoint.save()
    return {
        "task": task.id,
        "endpoint": endpoint.pk,
        "delivery": endpoint.deliveries.create(message_id="msg_1", event="test", body="{}").pk,
        "alice": alice.pk,
        "clerk": clerk.pk,
        "group": Group.objects.create(name="clerks").pk,
        "product": product.pk,
        "category": Category.objects.create(name="Tea", slug="tea").pk,
        "ordered_product": ordered_product.pk,
        "shipped": shipped.pk,
        "adjustment": ordered_product.adjustments.get().pk,
        "order": order.pk,
        "mail": OrderMail.objects.create(order=order, name=OrderMail.Name.PLACED).pk,
        # Whoever has the permission gets a 404 for what is not their own.
        "bulk": BulkTransition.objects.select(Order.objects.all(), name="ship", by=alice).pk,
    }


def send(browser, method, path, form, rows):
    form = {
        field.format(**rows): str(value).format(**rows) for field, value in (form or {}).items()
    }
    path = path.format(**rows)
    transition = re.search(r"order/(\d+)/move/(\w+)/", path)
    if transition and method == "POST":
        form |= seen(*transition.groups())
    return getattr(browser, method.lower())("/admin/" + path, form)


def test_staff_get_the_status_of_the_table(rows, clerk, client, isolated_subtest):
    root = factories.customers.make(username="root", is_staff=True, is_superuser=True)
    for method, path, form, statuses in TABLE:
        client.force_login(root)
        if method == "POST" and path.endswith("/change/"):
            page = client.get("/admin/" + path.format(**rows))
            form = form | {"_shown": (page.context or {}).get("shown", "")}
        for staff, status in zip((clerk, root), statuses, strict=True):
            with isolated_subtest(method=method, path=path, staff=staff.username):
                client.force_login(staff)
                response = send(client, method, path, form, rows)
                assert response.status_code == status
                assert not response.get("Location", "").startswith("/admin/login/")


@pytest.fixture(params=["anonymous", "alice", "gone"])
def stranger(request, client, alice):
    if request.param == "alice":
        client.force_login(alice)
    if request.param == "gone":
        root = factories.customers.make(is_staff=True, is_superuser=True)
        client.force_login(root)
        root.is_active = False
        root.save()
    return client


def test_all_others_are_redirected_to_log_in(rows, stranger, isolated_subtest):
    for method, path, form, _ in TABLE:
        with isolated_subtest(method=method, path=path):
            response = send(stranger, method, path, form, rows)
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/?next=")


def test_anyone_can_log_in_and_out(stranger):
    assert stranger.get("/admin/login/").status_code == 200
    assert stranger.post("/admin/logout/")["Location"] == "/admin/"


def test_table_has_every_route():
    paths = [path.partition("?")[0] for _, path, _, _ in TABLE]
    names = ("alice", "clerk", "group", "product", "adjustment", "order", "mail", "shipped", "bulk")
    numbers = dict.fromkeys((*names, "category", "endpoint", "delivery", "task"), 1)
    table_routes = {resolve(f"/admin/{path.format(**numbers)}").route for path in (*paths, *OPEN)}
    all_routes = (route.replace("^", "") for route in routes(get_resolver().url_patterns))
    assert table_routes == {route for route in all_routes if route.startswith("admin/")}
