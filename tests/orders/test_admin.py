import pytest

from tests import factories


@pytest.fixture
def order(alice, product):
    return factories.place(alice, {product: 2})


def test_order_is_shown_with_its_lines_and_address(in_the_admin, order, product):
    page = in_the_admin.get(f"/admin/orders/order/{order.pk}/change/").content.decode()
    for word in (product.name, product.sku, "25.00", "Kattesundet 4", "alice"):
        assert word in page


def test_order_is_read_only(in_the_admin, order):
    page = f"/admin/orders/order/{order.pk}/change/"
    assert 'name="_save"' not in in_the_admin.get(page).content.decode()
    assert in_the_admin.post(page, {"status": "cancelled"}).status_code == 403
    assert in_the_admin.post(f"/admin/orders/order/{order.pk}/delete/").status_code == 403
    assert in_the_admin.get("/admin/orders/order/add/").status_code == 403


@pytest.mark.parametrize("query", ["q=alice", "q={pk}", "q=Coffee", "status__exact=placed"])
def test_order_is_found(in_the_admin, order, query):
    page = in_the_admin.get("/admin/orders/order/?" + query.format(pk=order.pk))
    assert f"/admin/orders/order/{order.pk}/change/" in page.content.decode()


def test_other_orders_are_not(in_the_admin, order):
    page = in_the_admin.get("/admin/orders/order/?q=bob").content.decode()
    assert f"/admin/orders/order/{order.pk}/change/" not in page


def test_address_is_escaped(in_the_admin, order):
    order.shipping_address["city"] = "<script>alert(1)</script>"
    order.save()
    for page in ("", f"{order.pk}/change/"):
        answer = in_the_admin.get(f"/admin/orders/order/{page}").content.decode()
        assert "<script>alert" not in answer
        assert "&lt;script&gt;alert" in answer
