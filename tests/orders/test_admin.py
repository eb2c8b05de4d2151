import re

import pytest

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


def test_read_only_pages_have_no_link_to_the_admin_history(in_the_admin, order, product):
    product.adjust_stock(5, reason="delivery", by=None)
    for page in (
        f"orders/order/{order.pk}",
        f"products/stockadjustment/{product.adjustments.first().pk}",
    ):
        assert "/history/" not in in_the_admin.get(f"/admin/{page}/change/").content.decode()
