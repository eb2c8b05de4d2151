"""Products imported from a sheet in the admin: previewed, then written all or none."""

from django.core.files.uploadedfile import SimpleUploadedFile

from orders.stock_ledger import find_discrepancies
from products.models import Product
from tests import factories

PATH = "/admin/products/product/import/"


def upload(browser, content, name="sheet.csv"):
    content = content.encode() if isinstance(content, str) else content
    return browser.post(PATH, {"sheet": SimpleUploadedFile(name, content)})


def confirm(browser, page):
    return browser.post("/admin/products/product/process_import/", {"key": page.context["key"]})


def test_sheet_adds_and_changes(in_the_admin):
    factories.products.make(sku="A-1", price="10.00", quantity_in_stock=5)
    page = upload(
        in_the_admin, "sku,name,price,delta,reason\na-1,,12.50,12,Delivery\nB-2,New,3,,\n"
    )
    assert page.status_code == 200
    response = confirm(in_the_admin, page)
    assert response.status_code == 302
    assert not find_discrepancies()
