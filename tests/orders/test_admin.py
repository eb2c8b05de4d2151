import re

import pytest

from orders import admin
from orders.models import Order
from tests import factories


@pytest.fixture
def order(alice, product):
    return factories.place(alice, {product: 2})


def test_order_is_shown_with_its_items_and_address(in_the_admin, order, product):
    page = in_the_admin.get(f"/admin/orders/order/{order.pk}/change/").content.decode()
    for word in (product.name, product.sku, "25.00", "Kattesundet 4", "alice"):
        assert word in page


def test_list_shows_the_total_with_its_currency(in_the_admin, alice, product):
    for quantity in (3, 1, 2):
        factories.place(alice, {product: quantity})
    page = in_the_admin.get("/admin/orders/order/?o=5").content.decode()
    totals = re.findall(r'<td class="field-total">(.+?)</td>', page)
    assert totals == ["12.50 EUR", "25.00 EUR", "37.50 EUR"]


def test_order_is_read_only(in_the_admin, order):
    page = f"/admin/orders/order/{order.pk}/change/"
    assert 'name="_save"' not in in_the_admin.get(page).content.decode()
    assert in_the_admin.post(page, {"status": "cancelled"}).status_code == 403
    assert in_the_admin.post(f"/admin/orders/order/{order.pk}/delete/").status_code == 403
    assert in_the_admin.get("/admin/orders/order/add/").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        *("q=alice", "q=LICE@example", "q={pk}", "q=coffee", "q=sku-", "q=coffee+alice+{pk}"),
        *(
            'q="grand+moka"',
            "q=,alice,moka",
            "status__exact=placed",
            "q=alice&status__exact=placed",
        ),
    ],
)
def test_search_finds_the_order(in_the_admin, alice, product, query):
    order = factories.place(alice, {product: 2, factories.products.make(name="Grand Moka"): 1})
    page = in_the_admin.get("/admin/orders/order/?" + query.format(pk=order.pk))
    assert [result.pk for result in page.context["cl"].result_list] == [order.pk]


@pytest.mark.parametrize("query", ["q=bob", "q=alice+bob", "q=0{pk}0", "q=alice+tea"])
def test_search_finds_no_other_orders(in_the_admin, order, bob, query):
    page = in_the_admin.get("/admin/orders/order/?" + query.format(pk=order.pk))
    assert not page.context["cl"].result_list


def test_address_is_escaped(in_the_admin, order):
    order.shipping_address["city"] = "<script>alert(1)</script>"
    order.save()
    for path in ("", f"{order.pk}/change/"):
        page = in_the_admin.get(f"/admin/orders/order/{path}").content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_bulk_action_changes_orders_where_that_is_legal(in_the_admin, alice, product, order):
    others = [factories.place(alice, {product: 1}) for _ in range(2)]
    others[0].cancel(by=alice)
    form = {"action": "confirm", "_selected_action": [o.pk for o in (order, *others)]}
    page = in_the_admin.post("/admin/orders/order/", form, follow=True).content.decode()
    assert "2 orders confirmed." in page
    assert f"{others[0]}: An order that is cancelled cannot be confirmed." in page
    statuses = Order.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["confirmed", "cancelled", "confirmed"]
    ship = {"action": "ship", "_selected_action": [order.pk]}
    page = in_the_admin.post("/admin/orders/order/", ship, follow=True).content.decode()
    assert "1 order shipped." in page


def test_read_only_pages_have_no_link_to_the_admin_history(in_the_admin, order, product):
    product.adjust_stock(5, reason="delivery", by=None)
    for page in (
        f"orders/order/{order.pk}",
        f"products/stockadjustment/{product.adjustments.first().pk}",
    ):
        assert "/history/" not in in_the_admin.get(f"/admin/{page}/change/").content.decode()


def test_bulk_action_stops_at_its_size_and_shows_that_there_are_more(
    in_the_admin, alice, product, monkeypatch
):
    monkeypatch.setattr(admin, "BULK_SIZE", 2)
    for _ in range(5):
        factories.place(alice, {product: 1})
    form = {"action": "confirm", "select_across": "1", "_selected_action": Order.objects.first().pk}
    for confirmed, incomplete in ((2, True), (4, True), (5, False)):
        page = in_the_admin.post("/admin/orders/order/", form, follow=True).content.decode()
        assert Order.objects.filter(status="confirmed").count() == confirmed
        assert ("Not all orders were processed" in page) is incomplete


def test_bulk_action_stops_at_its_deadline(in_the_admin, alice, product, monkeypatch):
    monkeypatch.setattr(admin, "BULK_TIMEOUT", -1)
    order = factories.place(alice, {product: 1})
    form = {"action": "confirm", "_selected_action": order.pk}
    page = in_the_admin.post("/admin/orders/order/", form, follow=True).content.decode()
    assert "Not all orders were processed" in page
    order.refresh_from_db()
    assert order.status == "placed"


def test_bulk_action_shows_the_reason_for_a_few_orders_only(in_the_admin, alice, product):
    orders = [factories.place(alice, {product: 1}) for _ in range(12)]
    form = {"action": "ship", "_selected_action": [order.pk for order in orders]}
    page = in_the_admin.post("/admin/orders/order/", form, follow=True)
    assert len(page.context["messages"]) == admin.MAX_MESSAGES


def test_cancelling_in_bulk_restocks(in_the_admin, order, product):
    form = {"action": "cancel", "_selected_action": [order.pk]}
    in_the_admin.post("/admin/orders/order/", form)
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
