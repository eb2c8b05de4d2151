"""Bulk transitions in the admin: asked about first, then made in steps."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import admin_bulk, bulk, search_query, stock_ledger
from orders.models import BulkTransition, Order, OrderEvent, SelectedOrder
from tests import factories

LIST = "/admin/orders/order/"


@pytest.fixture
def orders(alice, product):
    return [factories.place(alice, {product: 2}) for _ in range(5)]


@pytest.fixture
def cancelled(alice, product):
    order = factories.place(alice, {product: 1})
    order.cancel(by=alice)
    return order


def choose(browser, name, orders, query="", **form):
    """Choose the action in the list; return the page that asks."""
    form |= {"action": name, "_selected_action": [order.pk for order in orders]}
    return browser.post(f"{LIST}{query}", form, follow=True)


def url_of(page):
    return page.redirect_chain[-1][0]


def step_url(page):
    path, _, query = url_of(page).partition("?")
    return f"{path}step/?{query}"


def go_on(browser, page):
    """Press Continue until the list comes; return it."""
    for _ in range(100):
        page_after = browser.post(step_url(page), follow=True)
        if "/bulk/" not in url_of(page_after):
            return page_after
    raise AssertionError("the steps do not end")


def run(browser, page, note=""):
    """Press the button of the page that asks, then Continue; return the list."""
    browser.post(url_of(page), {"note": note})
    return go_on(browser, page)


def words(page):
    return " ".join(re.sub("<[^>]+>", " ", page.content.decode()).split())


def read_statuses():
    return list(Order.objects.order_by("pk").values_list("status", flat=True))


# --- The page that asks -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["confirm", "ship", "deliver", "cancel"])
def test_action_asks_first_and_changes_nothing(in_the_admin, clerk, orders, name):
    for step in ("confirm", "ship")[
        : ("confirm", "ship", "deliver").index(name) if name != "cancel" else 0
    ]:
        for order in orders:
            getattr(order, step)(by=clerk)
    before = read_statuses()
    page = choose(in_the_admin, name, orders)
    assert f"{name.capitalize()} 5 orders?" in words(page)
    assert in_the_admin.get(url_of(page)).status_code == 200  # it can be reloaded
    in_the_admin.post(step_url(page))  # which a step does not start
    assert read_statuses() == before


def test_page_says_what_stays_and_what_becomes_of_the_stock(in_the_admin, orders, cancelled):
    assert "Stock: no change." in words(choose(in_the_admin, "confirm", orders))
    page = words(choose(in_the_admin, "cancel", [*orders, cancelled]))
    assert "5 orders will be cancelled." in page
    assert "Stay as they are: 1 order cancelled." in page
    assert "Stock: 10 pieces of 1 product go back." in page
    assert "This cannot be undone." in page


def test_page_offers_nothing_if_no_order_can_be_changed(in_the_admin, cancelled):
    page = choose(in_the_admin, "ship", [cancelled])
    assert "None of the selected orders can be shipped." in words(page)
    assert 'name="note"' not in page.content.decode()


@pytest.mark.parametrize("reason", ["", " \n ", "a" * 501, "a\u200bb"])
def test_cancelling_requires_a_reason_beside_whose_field_it_is_refused(
    in_the_admin, orders, reason
):
    page = choose(in_the_admin, "cancel", orders)
    refused = in_the_admin.post(url_of(page), {"note": reason})
    assert refused.status_code == 200
    assert refused.context["form"].errors.keys() == {"note"}
    assert 'class="errorlist"' in refused.content.decode()
    assert not BulkTransition.objects.get().started


def test_shipping_takes_carrier_and_tracking_number_of_each_order(in_the_admin, clerk, orders):
    for order in orders:
        order.confirm(by=clerk)
    page = choose(in_the_admin, "ship", orders[:3])
    first, second, third = (order.pk for order in orders[:3])
    form = {f"carrier_{first}": "UPS", f"tracking_number_{first}": "1Z9"}
    wrong = in_the_admin.post(url_of(page), form | {f"tracking_number_{second}": "x" * 101})
    assert wrong.context["form"].errors.keys() == {f"tracking_number_{second}"}
    form |= {f"tracking_number_{third}": "44", f"carrier_{orders[4].pk}": "DHL"}
    in_the_admin.post(url_of(page), form)
    go_on(in_the_admin, page)
    parcels = Order.objects.order_by("pk").values_list("status", "carrier", "tracking_number")
    assert list(parcels) == [
        *(("shipped", "UPS", "1Z9"), ("shipped", "", ""), ("shipped", "", "44")),
        *[("confirmed", "", "")] * 2,
    ]


def test_shipping_of_many_orders_asks_for_no_parcels(in_the_admin, clerk, orders, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_PARCELS", 4)
    for order in orders:
        order.confirm(by=clerk)
    page = choose(in_the_admin, "ship", orders)
    assert "tracking_number_" not in page.content.decode()
    assert "orders at once can be given carriers" in words(page)


def test_pages_say_that_the_search_found_more_orders(in_the_admin, orders, monkeypatch):
    for name in ("SAMPLE_SIZE", "SAMPLE_MATCHES", "WALK_SIZE", "PAGE_SIZE", "RESULT_LIMIT"):
        monkeypatch.setattr(search_query, name, 3)
    page = choose(in_the_admin, "confirm", orders[:1], "?q=alice", select_across="1")
    assert "Confirm 3 orders?" in words(page)
    for _ in range(2):  # the page that asks, reloaded, and the one with the progress bar
        assert "More orders match the search." in words(in_the_admin.get(url_of(page)))
        in_the_admin.post(url_of(page))
    page = choose(in_the_admin, "confirm", orders[2:], "?q=alice")  # each of them by hand
    assert "More orders match the search." not in words(page)
    page = choose(in_the_admin, "packing_slips", orders[:1], "?q=alice", select_across="1")
    assert url_of(page).startswith(LIST + "?")
    assert "More orders match the search." in words(page)


def test_note_is_a_text_box_in_which_enter_submits_nothing(in_the_admin, orders):
    page = choose(in_the_admin, "confirm", orders).content.decode()
    assert re.search('<textarea[^>]* name="note"', page)
    assert not re.search('<input type="text"', page.partition("bulk-count")[2])


def test_cancelling_stands_apart_in_the_list_of_actions(in_the_admin, orders):
    page = in_the_admin.get(LIST).content.decode()
    options = page[page.index('name="action"') :].partition("</select>")[0]
    apart = options.partition("<optgroup")[2]
    assert re.findall(r'value="(\w+)"', apart) == ["cancel"]
    assert options.index('value="packing_slips"') < options.index("<optgroup")


# --- Making it ----------------------------------------------------------------------------------


def test_orders_are_changed_by_the_user_and_the_list_comes_back_with_its_filter(
    in_the_admin, orders
):
    page = choose(in_the_admin, "confirm", orders, "?status__exact=placed&q=alice")
    done = run(in_the_admin, page, "Thank you.")
    assert url_of(done) == f"{LIST}?status__exact=placed&q=alice"
    assert "5 orders confirmed." in words(done)
    assert read_statuses() == ["confirmed"] * 5
    events = OrderEvent.objects.filter(status="confirmed")
    assert {(event.note, event.by.is_superuser) for event in events} == {("Thank you.", True)}
    assert not SelectedOrder.objects.exists()
    assert "5 orders confirmed." not in words(in_the_admin.get(url_of(page), follow=True))


def test_cancelling_restocks(in_the_admin, orders, product):
    done = run(in_the_admin, choose(in_the_admin, "cancel", orders[:3]), "Sold out.")
    assert "3 orders cancelled." in words(done)
    assert read_statuses() == ["cancelled"] * 3 + ["placed"] * 2
    product.refresh_from_db()
    assert product.quantity_in_stock == 100 - 2 * 2
    assert not stock_ledger.find_discrepancies().exists()


def test_orders_that_cannot_be_changed_are_counted_with_a_list_of_exactly_them(
    in_the_admin, clerk, orders, cancelled
):
    page = choose(in_the_admin, "confirm", [*orders, cancelled])
    orders[3].confirm(by=clerk)  # meanwhile
    done = run(in_the_admin, page)
    assert "4 orders confirmed." in words(done)
    assert "2 orders of another status could not be confirmed" in words(done)
    (link,) = re.findall(rf'href="({LIST}\?bulk=\d+)"', done.content.decode())
    refused = in_the_admin.get(link).context["cl"].result_list
    assert {order.pk for order in refused} == {orders[3].pk, cancelled.pk}


def test_order_that_somebody_else_cancelled_is_not_counted(in_the_admin, alice, orders):
    page = choose(in_the_admin, "cancel", orders)
    orders[0].cancel(by=alice, note="Changed my mind.")
    assert "1 order of another status could not be cancelled" in words(
        run(in_the_admin, page, "Sold out.")
    )
    assert orders[0].events.get(status="cancelled").note == "Changed my mind."


@pytest.mark.parametrize("query", ["", "?status__exact=placed", "?q=bob", "?created__year=2000"])
def test_all_orders_means_the_orders_of_the_list(in_the_admin, bob, product, orders, query):
    factories.place(bob, {product: 1})
    orders[0].cancel(by=orders[0].customer)
    listed = {order.pk for order in in_the_admin.get(LIST + query).context["cl"].result_list}
    choose(in_the_admin, "confirm", orders[:1], query, select_across="1")
    assert set(SelectedOrder.objects.values_list("order", flat=True)) == listed


def test_orders_placed_meanwhile_are_not_included(in_the_admin, alice, product, orders):
    page = choose(in_the_admin, "confirm", orders, "?status__exact=placed", select_across="1")
    factories.place(alice, {product: 1})
    in_the_admin.post(url_of(page))
    factories.place(alice, {product: 1})
    go_on(in_the_admin, page)
    assert read_statuses() == ["confirmed"] * 5 + ["placed"] * 2


def test_more_orders_than_a_bulk_transition_has_are_refused(in_the_admin, orders, monkeypatch):
    for module in (bulk, admin_bulk):
        monkeypatch.setattr(module, "MAX_ORDERS", 4)
    page = choose(in_the_admin, "confirm", orders)
    assert "Select at most 4 orders: narrow the list by a filter." in words(page)
    assert not BulkTransition.objects.exists()


# --- Steps --------------------------------------------------------------------------------------


@pytest.fixture
def short_steps(monkeypatch):
    """A step that makes one transaction: of 10 orders, or the cancellation of one."""
    monkeypatch.setattr(bulk, "STEP_TIMEOUT", 0.000_001)


def test_step_is_short_and_reports_how_far_it_is(in_the_admin, orders, short_steps):
    page = choose(in_the_admin, "cancel", orders)
    in_the_admin.post(url_of(page), {"note": "Sold out."})
    for done in range(1, 6):
        progress = in_the_admin.post(step_url(page), headers={"accept": "application/json"}).json()
        assert progress == {"done": done, "total": 5, "text": f"{done} of 5 orders"}
        assert read_statuses().count("cancelled") == done


def test_unfinished_bulk_transition_goes_on_from_the_list(in_the_admin, orders, short_steps):
    page = choose(in_the_admin, "cancel", orders)
    assert "Unfinished" not in words(in_the_admin.get(LIST))
    in_the_admin.post(url_of(page), {"note": "Sold out."})
    in_the_admin.post(step_url(page))
    listed = in_the_admin.get(LIST + "?q=alice")
    assert "Unfinished: Cancel 5 orders" in words(listed)
    (link,) = re.findall(r'href="(/admin/orders/order/bulk/[^"]+)"', listed.content.decode())
    assert (
        '<progress id="bulk-progress" value="1" max="5"' in in_the_admin.get(link).content.decode()
    )
    assert "5 orders cancelled." in words(go_on(in_the_admin, page))
    assert "Unfinished" not in words(in_the_admin.get(LIST))


def test_stopping_leaves_the_other_orders_as_they_are(in_the_admin, orders, short_steps):
    page = choose(in_the_admin, "cancel", orders)
    in_the_admin.post(url_of(page), {"note": "Sold out."})
    in_the_admin.post(step_url(page))
    path, _, query = url_of(page).partition("?")
    stopped = in_the_admin.post(f"{path}stop/?{query}", follow=True)
    assert "1 order cancelled." in words(stopped)
    assert sorted(read_statuses()) == ["cancelled"] + ["placed"] * 4


def test_second_start_changes_nothing(in_the_admin, orders):
    page = choose(in_the_admin, "cancel", orders)
    for reason in ("Sold out.", "Another reason."):
        in_the_admin.post(url_of(page), {"note": reason})
    assert BulkTransition.objects.get().note == "Sold out."


def test_number_of_queries_of_a_page_does_not_grow_with_the_orders(
    in_the_admin, alice, product, orders
):
    more = [factories.place(alice, {product: 1}) for _ in range(20)]
    counts = []
    for selected in (orders, more):
        page = choose(in_the_admin, "cancel", selected)
        with CaptureQueriesContext(connection) as queries:
            in_the_admin.get(url_of(page))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_expired_bulk_transitions_are_removed(in_the_admin, clerk, orders):
    for _ in range(3):
        BulkTransition.objects.select(Order.objects.all(), name="ship", by=clerk)
    long_ago = timezone.now() - bulk.EXPIRES - timedelta(hours=1)
    BulkTransition.objects.update(created=long_ago)
    for left in (2, 2, 3):  # two at a time
        choose(in_the_admin, "confirm", orders)
        assert BulkTransition.objects.count() == left


# --- Permissions --------------------------------------------------------------------------------


def test_bulk_transition_belongs_to_its_user(in_the_admin, clerk, orders, cancelled):
    page = choose(in_the_admin, "confirm", [*orders, cancelled])
    run(in_the_admin, page)
    clerk.user_permissions.set(
        Permission.objects.filter(codename__in=["change_order", "view_order"])
    )
    browser = Client()
    browser.force_login(clerk)
    path = url_of(page).partition("?")[0]
    for other in (path, f"{path}step/", f"{path}stop/"):
        assert browser.post(other).status_code == 404
    assert browser.get(path).status_code == 404
    bulk_id = path.split("/")[-2]
    assert not browser.get(f"{LIST}?bulk={bulk_id}").context["cl"].result_list


def test_actions_require_the_permission_to_change_orders(client, clerk, orders):
    clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))
    client.force_login(clerk)
    page = choose(client, "confirm", orders)
    assert "No action selected." in words(page)
    job = BulkTransition.objects.select(Order.objects.all(), name="confirm", by=clerk)
    for path in ("", "step/", "stop/"):
        assert client.post(f"{LIST}bulk/{job.pk}/{path}").status_code == 403


@pytest.mark.parametrize("value", ["x", "9" * 20, "-1", "0", ""])
def test_filter_by_an_unknown_selection_is_empty_or_refused(in_the_admin, orders, value):
    page = in_the_admin.get(f"{LIST}?bulk={value}")
    assert page.status_code == 400 or len(page.context["cl"].result_list) == (0 if value else 5)
