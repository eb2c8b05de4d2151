"""Pick lists and packing slips: what is on them, and what a PDF must not read."""

import re
import socket
import zlib

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import packing
from orders.models import Order
from orders.packing import load_pdf_renderer
from tests import factories

LIST = "/admin/orders/order/"
PRINT = f"{LIST}print/"
requires_weasyprint = pytest.mark.skipif(
    load_pdf_renderer() is None, reason="no WeasyPrint is installed, or no Pango"
)
ADDRESS = {
    "name": "Lena Vogt",
    "contact_number": "+49 40 5550",
    "street_1": "Große Bergstraße 4",
    "street_2": "",
    "city": "Hamburg",
    "state": "",
    "postal_code": "22767",
    "country": "Germany",
}


@pytest.fixture
def moka(db):
    return factories.products.make(name="Grand Moka", sku="MOK-9")


@pytest.fixture
def orders(alice, bob, product, moka):
    return [
        factories.place(alice, {product: 2, moka: 1}, note="Ring twice.", reference="PO-77"),
        factories.place(bob, {moka: 3}, shipping_address=ADDRESS),
    ]


def choose(browser, action, orders, query=""):
    form = {"action": action, "_selected_action": [order.pk for order in orders]}
    return browser.post(f"{LIST}{query}", form, follow=True)


def words(page):
    text = re.sub("<[^>]+>", " ", page.content.decode())
    return " ".join(text.replace("&nbsp;", " ").split())


def ids(orders):
    return ",".join(str(order.pk) for order in orders)


def test_pick_list_sums_products_and_sorts_them_by_name(in_the_admin, orders, product, moka):
    page = choose(in_the_admin, "pick_list", orders)
    first, second = orders
    text = words(page).partition("Orders ")[2]
    assert text == (
        f"2 Coffee 1 {product.sku} {first.pk} 4 Grand Moka MOK-9 {first.pk} (×1), {second.pk} (×3)"
    ).replace("Coffee 1", product.name)


def test_packing_slip_has_all_that_the_parcel_needs_and_no_price(
    in_the_admin, orders, product, settings
):
    settings.SHOP_NAME = "Kaffee & Co"
    settings.SHOP_ADDRESS = "Harbour Street 1|20457 Hamburg"
    page = choose(in_the_admin, "packing_slips", orders[:1])
    assert "Kaffee &amp; Co</strong><br>Harbour Street 1<br>20457 Hamburg" in page.content.decode()
    text = words(page)
    for part in (f"Order {orders[0].pk}", "PO-77", "Ring twice.", f"2 {product.name}", "1 Grand"):
        assert part in text
    assert "12.50" not in text
    assert "EUR" not in text


def test_each_order_has_a_sheet_with_its_recipient_in_postal_order(in_the_admin, orders):
    page = choose(in_the_admin, "packing_slips", orders).content.decode()
    assert page.count('class="sheet"') == 2
    address = re.findall(r"<address>(.*?)</address>", page, re.DOTALL)[1]
    assert re.sub(r"\s*<br>\s*", "|", address).strip() == (
        "Lena Vogt|Große Bergstraße 4|22767 Hamburg|Germany|Phone +49 40 5550"
    )


def test_order_without_an_address_is_to_be_collected(in_the_admin, orders):
    Order.objects.filter(pk=orders[0].pk).update(shipping_address=None)
    text = words(choose(in_the_admin, "packing_slips", orders[:1]))
    assert f"To be collected by {orders[0].customer.get_full_name()}" in text


def test_slip_has_the_user_name_for_staff_who_may_not_view_customers(client, clerk, orders):
    Order.objects.filter(pk=orders[0].pk).update(shipping_address=None)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))
    client.force_login(clerk)
    text = words(client.get(f"{PRINT}packing-slips/?ids={orders[0].pk}"))
    assert f"To be collected by {orders[0].customer.username} Order" in text


@pytest.mark.parametrize("action", ["pick_list", "packing_slips"])
def test_cancelled_orders_are_left_out_and_named(in_the_admin, alice, orders, action):
    orders[0].cancel(by=alice)
    text = words(choose(in_the_admin, action, orders))
    assert f"Left out, since cancelled: Order {orders[0].pk}." in text
    assert "Coffee" not in text
    assert "There is nothing to pack." in words(choose(in_the_admin, action, orders[:1]))


@pytest.mark.parametrize("action", ["pick_list", "packing_slips"])
def test_page_can_be_reloaded_and_leads_back_to_the_filtered_list(in_the_admin, orders, action):
    page = choose(in_the_admin, action, orders, "?status__exact=placed&q=coffee")
    url = page.redirect_chain[-1][0]
    assert words(in_the_admin.get(url)) == words(page)
    assert f'href="{LIST}?status__exact=placed&amp;q=coffee"' in page.content.decode()


def test_more_orders_than_are_printed_at_once_are_refused(in_the_admin, orders, monkeypatch):
    monkeypatch.setattr(packing, "MAX_ORDERS", 1)
    page = choose(in_the_admin, "packing_slips", orders)
    assert "Print at most 1 orders at once: select fewer." in words(page)
    assert in_the_admin.get(f"{PRINT}packing-slips/?ids={ids(orders)}").status_code == 400


def test_nothing_is_printed_of_nothing(in_the_admin):
    assert "There is nothing to pack." in words(in_the_admin.get(f"{PRINT}packing-slips/"))


def test_unknown_print_is_not_found(in_the_admin, orders):
    assert in_the_admin.get(f"{PRINT}invoices/?ids={ids(orders)}").status_code == 404


def test_permission_to_view_orders_suffices(client, clerk, orders):
    client.force_login(clerk)
    assert client.get(f"{PRINT}pick-list/?ids={ids(orders)}").status_code == 403
    clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))
    for action in ("pick_list", "packing_slips"):
        assert "Grand Moka" in words(choose(client, action, orders))


def test_texts_are_escaped(in_the_admin, orders):
    attack = "<script>alert(1)</script>"
    orders[0].note = attack
    orders[0].shipping_address |= {"name": attack, "street_1": attack}
    orders[0].save()
    page = choose(in_the_admin, "packing_slips", orders, f"?q=&x={attack}").content.decode()
    assert "<script>alert" not in page


@pytest.mark.parametrize("name", ["pick-list", "packing-slips"])
def test_number_of_queries_does_not_grow_with_the_orders(
    in_the_admin, alice, moka, product, orders, name
):
    more = [factories.place(alice, {product: 1, moka: 1}) for _ in range(10)]
    counts = []
    for printed in (orders, more):
        with CaptureQueriesContext(connection) as queries:
            in_the_admin.get(f"{PRINT}{name}/?ids={ids(printed)}")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_shop_can_replace_the_slip(in_the_admin, orders, tmp_path, settings):
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "packing_slip.html").write_text("Merci, {{ recipient.0 }}!")
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]
    assert "Merci, Lena Vogt!" in words(choose(in_the_admin, "packing_slips", orders[1:]))


# --- PDF ----------------------------------------------------------------------------------------


def read_pdf_links(page):
    return re.findall(rf'href="({PRINT}[^"]+/pdf/[^"]*)"', page.content.decode())


@requires_weasyprint
@pytest.mark.parametrize("action", ["pick_list", "packing_slips"])
def test_pdf_has_a_page_for_each_sheet(in_the_admin, orders, action):
    (link,) = read_pdf_links(choose(in_the_admin, action, orders))
    response = in_the_admin.get(link.replace("&amp;", "&"))
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"].startswith("attachment;")
    assert count_pages(response.content) == (2 if action == "packing_slips" else 1)


def count_pages(pdf):
    assert pdf.startswith(b"%PDF")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    text = pdf + b"".join(inflate(stream) for stream in streams)
    return len(re.findall(rb"/Type ?/Page\b", text))


def inflate(stream):
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


@requires_weasyprint
def test_pdf_reads_no_file_and_no_address_but_the_style_sheet(tmp_path):
    from orders.pdf import StylesheetFetcher

    assert StylesheetFetcher().fetch("https://shop.invalid/static/orders/print.css").read()
    secret = tmp_path / "secret.txt"
    secret.write_text("hush")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        elsewhere = f"http://127.0.0.1:{server.getsockname()[1]}"
        urls = (elsewhere, f"file://{secret}", "https://shop.invalid/static/orders/../a", "data:,x")
        for url in urls:
            with pytest.raises(ValueError, match="Only the style sheet"):
                StylesheetFetcher().fetch(url)
            load_pdf_renderer()(
                f'<link rel="stylesheet" href="{url}"><link rel="attachment" href="{url}">'
                f'<img src="{url}"><p style="background: url({url})">A page.</p>'
            )
        with pytest.raises(BlockingIOError):  # nobody called
            server.accept()


@requires_weasyprint
@pytest.mark.parametrize(("limit", "value"), [("MAX_PDF_ORDERS", 1), ("MAX_PDF_ITEMS", 2)])
def test_pdf_of_too_many_orders_is_not_offered(in_the_admin, orders, monkeypatch, limit, value):
    monkeypatch.setattr(packing, limit, value)
    page = choose(in_the_admin, "packing_slips", orders)
    assert read_pdf_links(page) == []
    assert in_the_admin.get(f"{PRINT}packing-slips/pdf/?ids={ids(orders)}").status_code == 400


def test_without_weasyprint_no_pdf_is_offered(in_the_admin, orders, monkeypatch):
    monkeypatch.setattr(packing, "load_pdf_renderer", lambda: None)
    assert read_pdf_links(choose(in_the_admin, "packing_slips", orders)) == []
    assert in_the_admin.get(f"{PRINT}packing-slips/pdf/?ids={ids(orders)}").status_code == 400
