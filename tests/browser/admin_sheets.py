"""Staff export lists and import a sheet of products, in Chromium."""

import time

import pytest

from products.models import Product
from tests import factories

SHEET = """\
sku,name,price,quantity_in_stock,delta,reason,note
COF-1,,12.50,,12,delivery,From Bremen
TEA-1,,3.20,,,,
CUP-1,"A cup, 0.3 l",4.90,7,,,
"""
WRONG = """\
sku,name,price,delta,reason
COF-1,,1.250,12,delivery
TEA-1,,3.20,-500,damaged
cof-1,,9,,
POT-1,A pot,,,
"""


@pytest.fixture
def products(transactional_db):
    factories.products.make(sku="COF-1", name="Yirgacheffe Kochere, 250 g", price="10.00")
    factories.products.make(sku="TEA-1", name="Darjeeling First Flush, 100 g", price="3.00")


@pytest.fixture
def upload(admin_browser, tmp_path):
    """Return a function that previews a sheet."""

    def preview(content):
        file = tmp_path / "delivery.csv"
        file.write_text(content, encoding="utf-8")
        admin_browser.open("products/product/")
        admin_browser.press(".object-tools a[href$='import/']")
        admin_browser.find("#id_sheet").send_keys(str(file))
        admin_browser.press("input[value=Preview]")

    return preview


def test_sheet_is_previewed_and_imported(products, admin_browser, upload):
    admin_browser.open("products/product/")
    admin_browser.take_pictures("sheets-list")
    admin_browser.open("products/product/import/")
    admin_browser.take_pictures("sheets-import")
    upload(SHEET)
    for text in ("1 new", "2 changed", "0 wrong", "10.00 → 12.50", "100 → 112 (+12 delivery)"):
        assert text in admin_browser.text
    admin_browser.take_pictures("sheets-preview")
    admin_browser.press("input[value='Import 3 rows']")
    assert admin_browser.find(".success").text == "3 rows imported."
    assert Product.objects.get(sku="COF-1").quantity_in_stock == 112


def test_wrong_rows_are_listed(products, admin_browser, upload):
    upload(WRONG)
    assert "Nothing is imported while a row is wrong" in admin_browser.text
    assert "Rows 2, 4 have this SKU." in admin_browser.text
    admin_browser.take_pictures("sheets-wrong")
    assert not admin_browser.find_all("input[value^=Import]")


def test_list_is_exported_with_its_filters(products, admin_browser, tmp_path):
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    admin_browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    admin_browser.open("products/product/?q=darjeeling")
    admin_browser.press(".object-tools a[href*='export/']")
    admin_browser.take_pictures("sheets-export")
    admin_browser.find(".submit-row [type=submit]").click()
    deadline = time.monotonic() + 10
    while not (files := list(tmp_path.glob("Product-*.csv"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    header, row = files[0].read_text(encoding="utf-8-sig").splitlines()
    assert header.startswith("id,sku,gtin,name")
    assert "TEA-1" in row


def test_pages_run_no_forbidden_script(products, admin_browser, upload):
    upload(SHEET)
    for path in ("products/product/import/", "orders/order/export/", "customers/customer/export/"):
        admin_browser.open(path)
    assert not [entry for entry in admin_browser.driver.get_log("browser") if "CSP" in str(entry)]
