"""The jobs of docs/staff.md, in a shop with a year's orders; its pictures are made of these."""

from urllib.parse import urlencode

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from selenium.webdriver.support.ui import Select

from customers.models import Customer
from products.models import Product
from tests import factories
from tests.admin.test_groups import create_groups
from tests.browser.admin_forms import enter

ADDRESS = {
    "name": "Lena Vogt",
    "street_1": "Suurstoffi 22",
    "street_2": "",
    "postal_code": "6343",
    "city": "Rotkreuz",
    "state": "",
    "country": "Switzerland",
    "contact_number": "+41 41 555 01 42",
}
SHEET = """\
sku,name,price,delta,reason,note
{0},,9.50,24,delivery,Pallet 4 from Bremen
{1},,18.50,,,
{2},,,36,delivery,Pallet 4 from Bremen
CUP-1,"Cup, 0.3 l",4.90,,,
"""


@pytest.fixture
def root(admin_browser):
    return Customer.objects.get(username="root")


@pytest.fixture
def products(seeded_shop):
    """Products with some pieces in stock, of which two have few left."""
    products = Product.objects.filter(quantity_in_stock__gt=50).order_by("sku")[:36:6]
    for product, left in zip(products[4:], (2, 5), strict=True):
        product.adjust_stock(left - product.quantity_in_stock, reason="stocktake", by=None)
    return products[:4]


@pytest.fixture
def orders(products, root):
    """Three orders of a customer, the last of which is placed, the others shipped."""
    for customer in Customer.objects.filter(is_staff=False)[:4]:
        factories.place(customer, {products[customer.pk % 4]: 1, products[0]: 2})
    lena = factories.customers.make(
        **{"username": "lena.vogt", "email": "lena.vogt@example.com", "first_name": "Lena"},
        **{"last_name": "Vogt", "password": make_password(factories.PASSWORD)},
        **{field: ADDRESS[field] for field in ("street_1", "postal_code", "city", "country")},
    )
    first, second, third, _ = products
    fields = {"shipping_address": ADDRESS, "note": "Ring twice, please.", "reference": "PO-77"}
    orders = [
        factories.place(lena, quantities, **fields)
        for quantities in ({first: 1}, {first: 2, third: 1}, {first: 2, second: 3})
    ]
    for order in orders[:2]:
        order.confirm(by=root)
        order.ship(by=root, carrier="DHL", tracking_number="00340434161094042557")
    return orders


def test_orders(admin_browser, orders, root):
    *_, shipped, placed = orders
    admin_browser.open("")
    admin_browser.take_pictures("guide-first-page")
    admin_browser.open("orders/order/?" + urlencode({"q": "vogt 6343"}))
    assert len(admin_browser.find_all("#result_list tbody tr")) == 3
    admin_browser.take_pictures("guide-search")
    admin_browser.open(f"orders/order/{placed.pk}/change/")
    admin_browser.take_pictures("guide-order")
    admin_browser.open(f"orders/order/{placed.pk}/move/cancel/")
    enter(admin_browser, note="The customer ordered twice.")
    admin_browser.take_pictures("guide-cancel")
    admin_browser.open(f"orders/order/{shipped.pk}/move/return/")
    admin_browser.find("[id^=id_quantity]").send_keys("1")
    enter(admin_browser, note="Thank you for sending it back.")
    admin_browser.take_pictures("guide-return")
    placed.confirm(by=root)
    admin_browser.open(f"orders/order/{placed.pk}/move/ship/")
    enter(admin_browser, carrier="DHL", tracking_number="00340434161094042557")
    admin_browser.take_pictures("guide-ship")


def test_many_orders(admin_browser, orders):
    for action, text in (("confirm", ""), ("pick_list", ""), ("packing_slips", "vogt")):
        admin_browser.open(f"orders/order/?status__exact=placed&q={text}")
        admin_browser.find("#action-toggle").click()
        Select(admin_browser.find("select[name=action]")).select_by_value(action)
        admin_browser.press(".actions button")
        assert " orders" in admin_browser.text
        admin_browser.take_pictures(f"guide-{action}")


def test_products_and_stock(admin_browser, orders, products, root, tmp_path):
    product = products[0]
    admin_browser.open("products/product/?o=4")
    admin_browser.take_pictures("guide-products")
    product.adjust_stock(48, reason="delivery", by=root, note="Pallet 3 from Bremen")
    product.adjust_stock(-2, reason="damaged", by=root, note="Fell off the shelf")
    orders[-1].cancel(by=root, note="Ordered twice.")
    orders[0].return_items({product.pk: 1}, by=root, note="Too dark for them.")
    page = f"products/product/{product.pk}"
    admin_browser.open(f"{page}/change/")
    admin_browser.find("#id_adjustments-0-delta").send_keys("30")
    Select(admin_browser.find("#id_adjustments-0-reason")).select_by_value("delivery")
    admin_browser.find("#id_adjustments-0-note").send_keys("Pallet 4 from Bremen")
    row = admin_browser.find("#adjustments-group")
    admin_browser.driver.execute_script("arguments[0].scrollIntoView()", row)
    admin_browser.take_pictures("guide-adjustment")
    enter(admin_browser, price=str(product.price + 1))
    Product.objects.filter(pk=product.pk).update(price=product.price + 2)
    admin_browser.press("[name=_save]")
    assert "Changed by somebody else" in admin_browser.text
    admin_browser.take_pictures("guide-conflict")
    admin_browser.open(f"{page}/stock/")
    admin_browser.take_pictures("guide-time-line")
    sheet = tmp_path / "delivery.csv"
    sheet.write_text(SHEET.format(*(product.sku for product in products)), encoding="utf-8")
    admin_browser.open("products/product/import/")
    admin_browser.find("#id_sheet").send_keys(str(sheet))
    admin_browser.press("input[value=Preview]")
    admin_browser.take_pictures("guide-import")


def test_accounts(admin_browser, orders):
    admin_browser.open(f"customers/customer/{orders[0].customer_id}/change/")
    admin_browser.take_pictures("guide-customer")
    create_groups()
    group = Group.objects.get(name="Clerks")
    admin_browser.open("customers/staff/add/")
    enter(admin_browser, username="carla", first_name="Carla", last_name="Dahl")
    admin_browser.find(f"#id_groups [value='{group.pk}']").click()
    admin_browser.take_pictures("guide-staff")
    admin_browser.open(f"auth/group/{group.pk}/change/")
    admin_browser.take_pictures("guide-group")
