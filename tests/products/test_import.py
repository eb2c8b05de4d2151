"""Products imported from a sheet in the admin: previewed, then written all or none."""

import csv
import io
import threading
import zipfile

import pytest
from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import Workbook, load_workbook

from orders.stock_ledger import find_discrepancies
from products import import_admin, import_sheets
from products.categories import Category
from products.models import Product, StockAdjustment
from tests import factories
from tests.contract import ContractClient

PATH = "/admin/products/product/import/"
PROCESS = "/admin/products/product/process_import/"
EXPORT = "/admin/products/product/export/"


def upload(browser, content, name="sheet.csv"):
    content = content.encode() if isinstance(content, str) else content
    return browser.post(PATH, {"sheet": SimpleUploadedFile(name, content)})


def confirm(browser, page):
    return browser.post(PROCESS, {"key": page.context["key"]})


def import_sheet(browser, content):
    """Upload and confirm a sheet that is right."""
    page = upload(browser, content)
    assert page.context["key"], page.content.decode()
    response = confirm(browser, page)
    assert response["Location"] == "/admin/products/product/"


def errors(page):
    """Return `{(row, column): message}` of what is wrong with the rows."""
    return {
        (row.values[0], column): messages[0]
        for row in page.context["result"].invalid_rows
        for column, messages in row.error_dict.items()
    }


def file_error(page):
    assert page.status_code == 200
    assert "result" not in page.context
    return page.context["form"].errors["sheet"]


def workbook(*rows):
    """Return an XLSX of these rows."""
    book, file = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


@pytest.fixture
def coffee(db):
    return factories.products.make(sku="COF-1", name="Coffee", price="10.00", quantity_in_stock=5)


@pytest.fixture(autouse=True)
def balanced_books(db):
    yield
    assert not find_discrepancies()


def test_preview_lists_new_changed_and_unchanged_rows_and_writes_nothing(in_the_admin, coffee):
    factories.products.make(sku="TEA-1", price="3.00")
    page = upload(
        in_the_admin, "sku,name,price\ncof-1,,12.50\nTEA-1,,3.00\nCUP-1,A cup,4\n"
    ).content.decode()
    for text in ("1 new", "1 changed", "1 unchanged", "0 wrong", "Import 2 rows"):
        assert text in page
    assert "<del>10.00</del> → <ins>12.50</ins>" in page
    assert "<ins>A cup</ins>" in page
    assert Product.objects.count() == 2
    coffee.refresh_from_db()
    assert coffee.revision == 1


def test_confirmed_sheet_is_imported(in_the_admin, coffee):
    import_sheet(
        in_the_admin,
        "sku,name,price,quantity_in_stock,delta,reason,note\n"
        "cof-1,,12.50,,12,Delivery,From Bremen\n"
        "CUP-1,A cup,4,7,,,\n",
    )
    root = LogEntry.objects.first().user
    coffee.refresh_from_db()
    assert (coffee.sku, coffee.name, coffee.price) == ("COF-1", "Coffee", 12.5)
    assert (coffee.quantity_in_stock, coffee.revision) == (17, 2)
    delivery = coffee.adjustments.first()
    assert (delivery.delta, delivery.reason, delivery.note) == (12, "delivery", "From Bremen")
    assert (delivery.actor, delivery.quantity_in_stock) == (root, 17)
    cup = Product.objects.get(sku="CUP-1")
    opening = cup.adjustments.get()
    assert (cup.name, cup.price, cup.is_active, cup.quantity_in_stock) == ("A cup", 4, True, 7)
    assert (opening.delta, opening.reason, opening.actor) == (7, "opening", root)
    assert [*Product.objects.search(["cup"])] == [cup]
    log = LogEntry.objects.values_list("object_id", "action_flag", "change_message")
    assert set(log) == {
        (
            str(coffee.pk),
            CHANGE,
            "Imported: price 10.00 → 12.50, stock 5 → 17 (+12 delivery)",
        ),
        (
            str(cup.pk),
            ADDITION,
            "Imported: sku CUP-1, name A cup, price 4.00, quantity_in_stock 7",
        ),
    }


def test_import_writes_what_single_changes_write(in_the_admin, clerk):
    """`write_all` keeps the rules of `save`, `update_fields` and `adjust_stock`."""
    one, other = (factories.products.make(sku=sku, name="Old") for sku in ("ONE", "TWO"))
    import_sheet(
        in_the_admin,
        "sku,name,description,price,is_active,quantity_in_stock,delta,reason,note\n"
        "ONE,New,Long,9.99,0,,-3,damaged,Fell\n"
        "SIX-1,Six,Text,6.00,,6,,,\n",
    )
    other.update_fields(name="New", description="Long", price="9.99", is_active=False, by=clerk)
    other.adjust_stock(-3, reason="damaged", note="Fell", by=clerk)
    seven = Product(sku="SEVEN", name="Six", description="Text", price="6.00", quantity_in_stock=6)
    seven.save(by=clerk)

    def rows(product):
        unlike = {"id", "sku", "created", "modified", "product_id", "actor_id", "idempotency_key"}
        product = Product.objects.get(pk=product.pk)
        product.search_text = product.search_text.replace(product.sku.lower(), "")
        return [
            {
                field.attname: getattr(row, field.attname)
                for field in row._meta.concrete_fields
                if field.attname not in unlike
            }
            for row in (product, *product.adjustments.all())
        ]

    assert rows(one) == rows(other)
    assert rows(Product.objects.get(sku="SIX-1")) == rows(seven)
    one.refresh_from_db()
    assert one.modified > one.created
    count = ContractClient().get("/api/products/").json()["count"]
    assert count == Product.objects.for_sale().count()  # on PostgreSQL, triggers count


@pytest.mark.parametrize(
    ("cells", "column", "message"),
    [
        ({"sku": "COF-1", "price": "1.250,00"}, "price", "Must be a price like 12.50"),
        ({"sku": "COF-1", "price": "1,250"}, "price", "Must be a price like 12.50"),
        ({"sku": "COF-1", "price": "12.505"}, "price", "Must be a price like 12.50"),
        ({"sku": "COF-1", "price": "€ 12"}, "price", "Must be a price like 12.50"),
        ({"sku": "COF-1", "price": "-1"}, "price", "greater than or equal to 0"),
        ({"sku": "COF-1", "price": "99999999999"}, "price", "no more than"),
        ({"sku": "COF-1", "price": "9" * 5_000}, "price", "no more than"),
        ({"sku": "COF-1", "price": "1e5"}, "price", "Must be a price like"),
        ({"sku": "COF-1", "price": "NaN"}, "price", "Must be a price like"),
        ({"sku": "COF-1", "price": "١٢"}, "price", "Must be a price like"),
        ({"sku": "COF-1", "is_active": "maybe"}, "is_active", "Must be 1 (yes) or 0 (no)."),
        ({"sku": "COF-1", "name": "x" * 201}, "name", "at most 200 characters"),
        ({"sku": "COF-1", "name": "a\u202eb"}, "name", "Must be one line"),
        ({"sku": "COF-1", "name": "a\nb"}, "name", "Must be one line"),
        ({"sku": "COF-1", "description": "x" * 5_001}, "description", "up to 5,000"),
        ({"sku": "COF-1", "delta": "x", "reason": "delivery"}, "delta", "a whole number"),
        ({"sku": "COF-1", "delta": "1.5", "reason": "delivery"}, "delta", "a whole number"),
        ({"sku": "COF-1", "delta": "1.000", "reason": "delivery"}, "delta", "a whole number"),
        ({"sku": "COF-1", "delta": "9" * 15, "reason": "delivery"}, "delta", "There are 5"),
        ({"sku": "COF-1", "delta": "-6", "reason": "damaged"}, "delta", "There are 5 in stock."),
        ({"sku": "COF-1", "delta": "0", "reason": "damaged"}, "delta", "Must not be 0."),
        ({"sku": "COF-1", "delta": "1"}, "reason", "Must be one of delivery, stocktake"),
        ({"sku": "COF-1", "delta": "1", "reason": "opening"}, "reason", "Must be one of"),
        ({"sku": "COF-1", "delta": "1", "reason": "gift"}, "reason", "Must be one of"),
        ({"sku": "COF-1", "delta": "1", "reason": "Returned"}, "reason", "the page of its order"),
        ({"sku": "COF-1", "reason": "damaged"}, "delta", "Enter how many pieces"),
        ({"sku": "COF-1", "note": "Fell"}, "delta", "Enter how many pieces"),
        ({"sku": "COF-1", "counted": "5", "delta": "1"}, "counted", "not both"),
        ({"sku": "COF-1", "counted": "-1"}, "counted", "There are 5 in stock."),
        ({"sku": "COF-1", "counted": "4", "reason": "damaged"}, "reason", "is a stocktake"),
        (
            {"sku": "COF-1", "delta": "1", "reason": "delivery", "note": "x" * 501},
            "note",
            "500 characters",
        ),
        (
            {"sku": "COF-1", "delta": "1", "reason": "delivery", "note": "a\u202eb"},
            "note",
            "one line",
        ),
        ({"sku": "NEW-1", "price": "1"}, "name", "A new product needs a name."),
        ({"sku": "NEW-1", "name": "New"}, "price", "A new product needs a price."),
        ({"sku": "x" * 41, "name": "New", "price": "1"}, "sku", "at most 40"),
        ({"sku": "NEW-1", "name": "New", "price": "1", "quantity_in_stock": "-1"}, None, "0"),
        ({"sku": "NEW-1", "name": "New", "price": "1", "quantity_in_stock": "9" * 12}, None, "1"),
        ({"sku": "NEW-1", "name": "New", "price": "1", "counted": "1"}, "counted", "new product"),
        ({"sku": "", "name": "New", "price": "1"}, "sku", "A new product needs a SKU."),
        ({"sku": "COF-2", "id": "1", "price": "1"}, "sku", "id 1 has another SKU, or is gone"),
        ({"sku": "COF-1", "id": "x", "price": "1"}, "sku", "id x has another SKU"),
        ({"sku": "COF-1", "revision": "2", "price": "1"}, "revision", "since the sheet was"),
    ],
)
def test_wrong_row_is_reported_by_row_and_column(in_the_admin, coffee, cells, column, message):
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, ["sku", *(cells.keys() - {"sku"})])
    writer.writeheader()
    writer.writerows([{"sku": "COF-1"} if cells["sku"] != "COF-1" else {}, cells])
    page = upload(in_the_admin, sheet.getvalue())
    number = 3
    assert message in errors(page)[number, column or "quantity_in_stock"]
    assert page.context["key"] is None
    content = page.content.decode()
    assert f"<td>{number}</td>" in content
    assert "Nothing is imported while a row is wrong" in content


def test_sheet_with_one_wrong_row_is_not_imported(in_the_admin, coffee):
    page = upload(in_the_admin, "sku,price\nCOF-1,12.50\nNONE,3\n")
    assert in_the_admin.post(PROCESS, {"key": ""}, follow=True).context["messages"]
    assert page.context["key"] is None
    coffee.refresh_from_db()
    assert coffee.price == 10


@pytest.mark.parametrize("price", ["12.50", "12.5", "12,50", "12,5"])
def test_price_is_taken_with_a_point_or_a_comma(in_the_admin, coffee, price):
    import_sheet(in_the_admin, f'sku,price\nCOF-1,"{price}"\n')
    coffee.refresh_from_db()
    assert coffee.price == 12.5


def test_price_has_the_places_of_the_currency(in_the_admin, coffee, settings):
    settings.SHOP_CURRENCY = "JPY"
    page = upload(in_the_admin, "sku,price\nCOF-1,12.5\n")
    assert "Must be a price like 12," in errors(page)[2, "price"]
    settings.SHOP_CURRENCY = "KWD"
    page = upload(in_the_admin, 'sku,price\nCOF-1,"1,250"\n')
    assert "Must be a price like 12.500," in errors(page)[2, "price"]
    assert upload(in_the_admin, "sku,price\nCOF-1,1.250\n").context["key"]


def test_sku_that_is_there_twice_is_reported_with_both_rows(in_the_admin, coffee):
    page = upload(in_the_admin, "sku,price\nCOF-1,1\nTEA,2\ncof-1,3\n")
    message = "Rows 2, 4 have this SKU."
    assert errors(page)[2, "sku"] == errors(page)[4, "sku"] == message


def test_rows_are_numbered_as_in_the_spreadsheet(in_the_admin, coffee):
    page = upload(in_the_admin, 'sku,description\nCOF-1,"two\nlines"\n\n,\nNONE,x\n')
    assert {number for number, _ in errors(page)} == {5}


def test_what_the_sheet_does_not_mention_stays(in_the_admin, coffee):
    coffee.update_fields(description="Washed", is_active=False)
    import_sheet(in_the_admin, "sku,description,price\nCOF-1,,11\n")
    coffee.refresh_from_db()
    assert (coffee.description, coffee.is_active, coffee.price) == ("Washed", False, 11)
    assert coffee.quantity_in_stock == 5


def test_count_is_booked_as_a_stocktake(in_the_admin, coffee):
    import_sheet(in_the_admin, "sku,counted,note\nCOF-1,3,Shelf 4\n")
    stocktake = coffee.adjustments.first()
    assert (stocktake.delta, stocktake.reason, stocktake.note) == (-2, "stocktake", "Shelf 4")
    page = upload(in_the_admin, "sku,counted\nCOF-1,3\n")
    assert "nothing that is not so already" in page.content.decode()


def test_deliveries_and_prices_of_many_products_are_one_sheet(in_the_admin):
    factories.products.make(_quantity=30)
    skus = Product.objects.values_list("sku", flat=True)
    import_sheet(
        in_the_admin,
        "sku,price,delta,reason\n" + "".join(f"{sku},5.55,12,delivery\n" for sku in skus),
    )
    assert Product.objects.filter(price="5.55", quantity_in_stock=112).count() == 30
    assert StockAdjustment.objects.filter(reason="delivery", delta=12).count() == 30


def test_sales_meanwhile_are_kept(in_the_admin, coffee, alice):
    """The stock that a sheet shows is not written back."""
    sheet = b"".join(in_the_admin.post(EXPORT, {"resource": 0, "format": 0}).streaming_content)
    factories.place(alice, {coffee: 2})
    page = upload(in_the_admin, sheet.replace(b"Coffee", b"Decaf"))
    assert "Row 2: Coffee (COF-1) has 3 in stock" in page.content.decode().replace(
        "Decaf", "Coffee"
    )
    confirm(in_the_admin, page)
    coffee.refresh_from_db()
    assert (coffee.name, coffee.quantity_in_stock) == ("Decaf", 3)


def test_delivery_is_added_to_what_is_there_when_it_is_confirmed(in_the_admin, coffee, alice):
    page = upload(in_the_admin, "sku,delta,reason\nCOF-1,10,delivery\n")
    factories.place(alice, {coffee: 2})
    assert confirm(in_the_admin, page).status_code == 302
    coffee.refresh_from_db()
    assert coffee.quantity_in_stock == 13


@pytest.mark.parametrize(
    ("sheet", "change"),
    [
        ("sku,price\nCOF-1,12\n", lambda coffee, alice: coffee.update_fields(name="Other")),
        ("sku,counted\nCOF-1,3\n", lambda coffee, alice: factories.place(alice, {coffee: 1})),
        ("sku,price\nCOF-1,12\n", lambda coffee, alice: coffee.delete()),
        (
            "sku,name,price\nCOF-2,Two,2\n",
            lambda coffee, alice: factories.products.make(sku="cof-2"),
        ),
    ],
)
def test_product_that_changed_since_the_preview_is_refused(
    in_the_admin, coffee, alice, sheet, change
):
    page = upload(in_the_admin, sheet)
    change(coffee, alice)
    before = list(Product.objects.values())
    response = confirm(in_the_admin, page)
    assert response.status_code == 409
    assert "The product was changed since the preview." in response.content.decode()
    assert list(Product.objects.values()) == before
    assert not LogEntry.objects.exists()


def test_delta_that_no_longer_fits_is_refused_with_all_other_rows(in_the_admin, coffee, alice):
    tea = factories.products.make(sku="TEA-1")
    page = upload(in_the_admin, "sku,delta,reason\nTEA-1,1,delivery\nCOF-1,-4,damaged\n")
    factories.place(alice, {coffee: 2})
    response = confirm(in_the_admin, page)
    assert response.status_code == 409
    assert "There are 3 in stock." in response.content.decode()
    tea.refresh_from_db()
    assert tea.quantity_in_stock == 100


def test_preview_is_confirmed_once(in_the_admin, coffee):
    page = upload(in_the_admin, "sku,delta,reason\nCOF-1,10,delivery\n")
    session = dict(in_the_admin.session)
    assert confirm(in_the_admin, page)["Location"] == "/admin/products/product/"
    assert confirm(in_the_admin, page)["Location"] == PATH
    # A second click while the first was on its way finds the same session.
    store = in_the_admin.session
    store.update(session)
    store.save()
    in_the_admin.raise_request_exception = False
    assert confirm(in_the_admin, page).status_code == 409
    coffee.refresh_from_db()
    assert coffee.quantity_in_stock == 15


def test_preview_of_another_tab_is_not_imported(in_the_admin, coffee):
    first = upload(in_the_admin, "sku,price\nCOF-1,11\n")
    upload(in_the_admin, "sku,price\nCOF-1,22\n")
    assert confirm(in_the_admin, first)["Location"] == PATH
    coffee.refresh_from_db()
    assert coffee.price == 10


def test_preview_belongs_to_who_made_it(in_the_admin, coffee):
    page = upload(in_the_admin, "sku,price\nCOF-1,11\n")
    other = Client()
    other.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    assert confirm(other, page)["Location"] == PATH
    coffee.refresh_from_db()
    assert coffee.price == 10


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sheet",
    [
        "sku;price\nCOF-1;12,50\n",
        "sku\tprice\nCOF-1\t12.50\n",
        "\ufeffSKU,Price\r\nCOF-1,12.50\r\n",
        '"sku","price","",\n"COF-1","12.50","",\n,,,\n',
        workbook(["sku", "price"], ["COF-1", 12.5]),
        workbook([" Sku ", "PRICE", None], ["cof-1", "12,50", None], [None, None, None]),
        workbook(["sku", "price"], ["COF-1", 12.499999999999998]),
    ],
)
def test_sheet_is_read_whatever_spreadsheet_saved_it(in_the_admin, coffee, sheet):
    import_sheet(in_the_admin, sheet)
    coffee.refresh_from_db()
    assert coffee.price == 12.5


def test_cells_of_xlsx_are_read_by_their_values(in_the_admin):
    import_sheet(
        in_the_admin,
        workbook(
            ["sku", "name", "price", "is_active", "quantity_in_stock"],
            [4006381333931, 2026, 3, False, 12.0],
        ),
    )
    product = Product.objects.get()
    assert (product.sku, product.name, product.price) == ("4006381333931", "2026", 3)
    assert (product.is_active, product.quantity_in_stock) == (False, 12)


def xlsx_with(**parts):
    """Return an XLSX with other contents of some of its parts."""
    file = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(workbook(["sku", "price"], ["COF-1", 1])))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            part = name.rpartition("/")[2].removesuffix(".xml")
            archive.writestr(name, parts.get(part, source.read(name)))
    return file.getvalue()


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]><worksheet><sheetData><row><c><v>&a9;</v></c></row></sheetData></worksheet>"
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The submitted file is empty."),
        ("\n", "needs a row of column names"),
        ("sku,price\n", "needs a row of column names"),
        ("name,price\nx,1\n", "The column sku is missing"),
        ("sku,prize\nx,1\n", "There is no column prize; did you mean price?"),
        ("sku,stock\nx,1\n", "There is no column stock."),
        ("sku,,price\nx,y,1\n", "Column B has no name"),
        ("sku,price,Price\nx,1,2\n", "The column price is there twice."),
        ("sku,price\nx,12,50\n", "Row 2 has a cell without a column name."),
        ("sku,row\nx,1\n", "There is no column row."),
        ("sku\n" + "x\n" * 5_001, "over 5,000 rows"),
        ("sku," + "," * 60 + "x\n1\n", "over 50 columns"),
        ("sku,description\n" + "".join(f"{n},{'x' * 1_000}\n" for n in range(1_990)), "over 1,9"),
        ("sku,name\nx,Käse\n".encode("cp1252"), "neither XLSX nor CSV in UTF-8"),
        ("sku,name\nx,Käse\n".encode("utf-16"), "neither XLSX nor CSV in UTF-8"),
        ("sku,name\nx,a\0b\n", "null characters"),
        ('sku,name\nx,"' + "y" * 140_000 + '"\n', "The CSV cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "neither XLSX nor CSV"),
        (b"%PDF-1.7 sku", "The sheet needs a row of column names"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "older or encrypted Excel file"),
        (b"PK\x03\x04" + bytes(100), "The XLSX cannot be read"),
        (workbook(["sku", "price"], ["COF-1", 1])[:-50], "The XLSX cannot be read"),
        (xlsx_with(sheet1="<worksheet>"), "The XLSX cannot be read"),
        (xlsx_with(workbook="<x/>"), "The XLSX cannot be read"),
        (xlsx_with(sheet1=LAUGHS), "The XLSX cannot be read"),
        (xlsx_with(sheet1=OUTSIDE), "The XLSX cannot be read"),
        (xlsx_with(sheet1=" " * 21_000_000), "too large when it is unpacked"),
        (xlsx_with(styles=" " * 600_000), "too large when it is unpacked"),
        (workbook([]), "needs a row of column names"),
        (workbook(["sku"], *([str(n)] for n in range(5_001))), "over 5,000 rows"),
    ],
    ids=range(30),
)
def test_file_that_is_no_such_sheet_is_refused_with_the_reason(
    in_the_admin, monkeypatch, content, message
):
    monkeypatch.setattr(import_sheets, "MAX_TEXT_SIZE", 1_900_000)  # below the size of a file
    assert message in str(file_error(upload(in_the_admin, content)))


def test_formula_without_a_value_is_refused(in_the_admin, coffee):
    page = upload(in_the_admin, workbook(["sku", "price"], ["COF-1", "=1+1"]))
    assert "Cell B2 has a formula without its value" in str(file_error(page))


@pytest.mark.parametrize(
    ("cell", "outcome"),
    [
        ('<c r="B2"><f>1+1</f><v>2</v></c>', "update"),
        ('<c r="B2" t="str"><f>""</f><v></v></c>', "skip"),  # an empty text leaves the price
        ('<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "Cell B2 has the error #DIV/0!."),
    ],
)
def test_formula_is_read_as_the_value_that_was_saved_with_it(in_the_admin, coffee, cell, outcome):
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c t="inlineStr"><is><t>sku</t></is></c>'
        '<c t="inlineStr"><is><t>price</t></is></c></row>'
        f'<row r="2"><c r="A2" t="inlineStr"><is><t>COF-1</t></is></c>{cell}</row>'
        "</sheetData></worksheet>"
    )
    page = upload(in_the_admin, xlsx_with(sheet1=sheet))
    if outcome.startswith("Cell"):
        assert outcome in str(file_error(page))
    else:
        assert page.context["result"].totals[outcome] == 1


def test_true_is_no_number_in_xlsx(in_the_admin, coffee):
    page = upload(in_the_admin, workbook(["sku", "price", "is_active"], ["COF-1", True, False]))
    (row,) = page.context["result"].invalid_rows
    assert row.field_specific_errors.keys() == {"price"}


def test_rows_far_below_are_not_read(in_the_admin):
    book = Workbook()
    book.active["A1"], book.active["A1000000"], book.active["XFD2"] = "sku", "x", "y"
    file = io.BytesIO()
    book.save(file)
    assert "over 5,000 rows" in str(file_error(upload(in_the_admin, file.getvalue())))


def test_file_over_the_limit_is_refused(in_the_admin):
    response = upload(in_the_admin, b"sku\n" + b"x\n" * 1_010_000)
    assert response["Location"] == PATH
    assert "up to 2 MB" in in_the_admin.get(PATH).content.decode()


def test_limits_fit_into_each_other():
    assert import_admin.MAX_BODY_SIZE <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE


@pytest.mark.parametrize("form", [{}, {"sheet": "text"}, {"sheet": ""}])
def test_form_without_a_file_is_refused(in_the_admin, form):
    page = in_the_admin.post(PATH, form)
    assert "sheet" in page.context["form"].errors or not form


def test_null_characters_in_the_form_do_no_harm(in_the_admin):
    page = in_the_admin.post(PATH, {"sheet": SimpleUploadedFile("a", b"sku\nx"), "a\0": "\0"})
    assert page.status_code == 200
    assert in_the_admin.post(PROCESS, {"key": "\0"}).status_code == 400


# --- Who, and how much ----------------------------------------------------------------------------


@pytest.fixture
def staff(client, clerk):
    """Return a function that gives the clerk permissions, and returns a browser of theirs."""

    def give(*codenames):
        clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(clerk)
        return client

    return give


def test_import_needs_the_permission_to_change_products(staff):
    assert upload(staff("view_product", "add_product"), "sku\nx\n").status_code == 403
    browser = staff("view_product", "change_product")
    assert upload(browser, "sku\nx\n").status_code == 200
    assert "/import/" in browser.get("/admin/products/product/").content.decode()


def test_each_row_needs_the_permission_for_what_it_does(staff, coffee):
    browser = staff("change_product")
    page = upload(browser, "sku,name,price,delta,reason\nNEW,New,1,,\nCOF-1,,,1,delivery\n")
    assert errors(page) == {
        (2, "sku"): "There is no such product, and you may not add one.",
        (3, "delta"): "You may not adjust the stock.",
    }
    import_sheet(browser, "sku,price\nCOF-1,11\n")
    browser = staff("change_product", "add_product", "add_stockadjustment")
    import_sheet(browser, "sku,name,price,delta,reason\nNEW,New,1,,\nCOF-1,,,1,delivery\n")


def test_permission_that_was_withdrawn_since_the_preview_is_missed(staff, coffee):
    page = upload(staff("change_product"), "sku,price\nCOF-1,11\n")
    assert confirm(staff("view_product"), page).status_code == 403


def test_upload_needs_its_token(coffee):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    assert upload(browser, "sku,price\nCOF-1,11\n").status_code == 403
    token = browser.get(PATH).context["csrf_token"]
    sheet = SimpleUploadedFile("sheet.csv", b"sku,price\nCOF-1,11\n")
    page = browser.post(PATH, {"sheet": sheet, "csrfmiddlewaretoken": str(token)})
    assert page.context["key"]
    assert browser.post(PROCESS, {"key": page.context["key"]}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        *("/admin/login/", "/admin/", "/admin/products/product/add/", PROCESS, EXPORT),
        *("/admin/products/product/", "/admin/customers/customer/export/"),
    ],
)
def test_all_other_pages_refuse_uploads(in_the_admin, path):
    response = in_the_admin.post(path, {"sheet": SimpleUploadedFile("a", b"x")})
    assert response.status_code == 400


def test_only_those_who_may_import_can_upload(client, clerk, alice):
    for user, status in ((None, 302), (alice, 302), (clerk, 403)):
        if user:
            client.force_login(user)
        assert upload(client, "sku\nx\n").status_code == status


def test_number_of_statements_does_not_grow_with_the_rows(in_the_admin):
    def count(prefix, rows):
        sheet = "sku,name,price,quantity_in_stock\n"
        sheet += "".join(f"{prefix}{n},Name,{rows}.{n:02},5\n" for n in range(rows))
        changes = "sku,price,delta,reason\n"
        changes += "".join(f"{prefix}{n},{rows}.5,5,delivery\n" for n in range(rows))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            import_sheet(in_the_admin, sheet)
            import_sheet(in_the_admin, changes)
        return len(queries)

    count("warm", 1)
    assert count("few", 2) == count("many", 50)


def test_preview_of_the_largest_sheet_is_a_page_of_bounded_size(in_the_admin):
    rows = "".join(f"NEW-{n},Name {n},1\n" for n in range(1_000))
    page = upload(in_the_admin, "sku,name,price\n" + rows)
    assert "1000 new and changed rows in all" in page.content.decode()
    assert len(page.content) < 400_000


def test_number_of_changes_is_limited(in_the_admin, monkeypatch):
    monkeypatch.setattr(import_admin, "MAX_CHANGES", 2)
    sheet = "sku,name,price\nA,A,1\nB,B,1\n"
    assert upload(in_the_admin, sheet).context["key"]
    page = upload(in_the_admin, sheet + "C,C,1\n")
    assert "changes over 2 products" in page.content.decode()
    assert page.context["key"] is None


# --- Round trip -----------------------------------------------------------------------------------

NAMES = ["=1+1", "+45 5550", "-5 °C", "@home", "'quoted", "'=x", "a;=b", "Käse, 'x' \"y\"", "1e5"]


@pytest.mark.parametrize("file_format", [0, 1])
def test_exported_sheet_is_imported_as_it_was(in_the_admin, file_format):
    for number, name in enumerate(NAMES):
        factories.products.make(
            name=name,
            sku=f"00{number}" if number else None,
            description=f"{name}\r\n- second\n\n{name}",
            price=f"{number}.10",
        )
    exported = in_the_admin.post(EXPORT, {"resource": 0, "format": file_format})
    sheet = b"".join(exported.streaming_content) if exported.streaming else exported.content
    page = upload(in_the_admin, sheet)
    assert not errors(page)
    assert page.context["result"].totals["skip"] == len(NAMES)
    assert not page.context["overlooked"]


def test_exported_sheet_is_edited_and_imported(in_the_admin, coffee):
    factories.products.make(sku=None, name="No code")
    content = in_the_admin.post(EXPORT, {"resource": 0, "format": 1}).content
    book = load_workbook(io.BytesIO(content))
    columns = {cell.value: cell.column for cell in book.active[1]}
    for row in (2, 3):
        book.active.cell(row, columns["price"], 7.77)
    file = io.BytesIO()
    book.save(file)
    import_sheet(in_the_admin, file.getvalue())
    assert Product.objects.filter(price="7.77").count() == 2
    # It was made before that change: the sheet is stale now.
    book.active.cell(2, columns["price"], 8.88)
    file = io.BytesIO()
    book.save(file)
    page = upload(in_the_admin, file.getvalue())
    assert errors(page) == {
        (2, "revision"): "The product was changed since the sheet was exported."
    }


def test_sku_that_a_spreadsheet_mangled_is_no_new_product(in_the_admin):
    product = factories.products.make(sku="00123")
    page = upload(in_the_admin, f"id,sku,name,price\n{product.pk},123,{product.name},12.50\n")
    assert "has another SKU" in errors(page)[2, "sku"]


# --- Sales while it writes ------------------------------------------------------------------------


@pytest.fixture
def sell_during_import(transactional_db, in_the_admin, alice, monkeypatch):
    """Return a function that imports a delivery of 10, and sells a piece just before it is written.

    It returns whether the sale had to wait.
    """
    write_all, waits = type(Product.objects).write_all, []

    def sell_and_write(manager, *args, **kwargs):
        sale.start()
        sale.join(0.5)
        waits.append(sale.is_alive())
        write_all(manager, *args, **kwargs)

    def sell():
        factories.place(alice, {product: 1})
        connection.close()

    monkeypatch.setattr(type(Product.objects), "write_all", sell_and_write)
    product = factories.products.make(sku="COF-1", quantity_in_stock=5)
    sale = threading.Thread(target=sell)

    def run():
        import_sheet(in_the_admin, "sku,delta,reason\nCOF-1,10,delivery\n")
        sale.join()
        return waits[0]

    return run


def test_sale_waits_for_the_import_of_its_product(sell_during_import):
    assert sell_during_import()
    assert Product.objects.get().quantity_in_stock == 14


@pytest.mark.skipif(connection.vendor == "sqlite", reason="locks the database, not rows")
def test_without_the_lock_the_sale_is_overwritten(sell_during_import, monkeypatch):
    """The negative control: the test above can detect a lost sale."""
    unlocked = lambda products, **options: products  # noqa: E731
    monkeypatch.setattr(type(Product.objects.all()), "select_for_update", unlocked)
    assert not sell_during_import()
    assert Product.objects.get().quantity_in_stock == 15
    Product.objects.update(quantity_in_stock=14)  # for the books


# --- Categories -----------------------------------------------------------------------------------


def test_sheet_puts_products_into_categories(in_the_admin, coffee):
    for slug in ("filter", "espresso", "gifts"):
        Category.objects.create(name=slug, slug=slug)
    coffee.categories.add(Category.objects.get(slug="gifts"))
    rows = 'COF-1,,,espresso Filter\nTEA-1,Tea,3.00,"gifts, filter"\n'
    page = upload(in_the_admin, f"sku,name,price,categories\n{rows}")
    assert "<del>gifts</del> → <ins>espresso filter</ins>" in page.content.decode()
    assert confirm(in_the_admin, page).status_code == 302
    products = Product.objects.all()
    assert [product.category_slugs for product in products] == [
        ["espresso", "filter"],
        ["filter", "gifts"],
    ]
    assert [product.revision for product in products] == [2, 1]
    export = in_the_admin.post(EXPORT, {"resource": 0, "format": 0})
    assert "espresso filter" in b"".join(export.streaming_content).decode()
    import_again = upload(in_the_admin, f"sku,name,price,categories\n{rows}")
    assert import_again.context["key"] is None


def test_category_that_is_not_there_is_reported(in_the_admin, coffee):
    page = upload(in_the_admin, "sku,categories\nCOF-1,tea\n")
    assert errors(page) == {(2, "categories"): "There is no category with the slug tea."}


def test_gtin_and_limit_of_low_stock_are_imported(in_the_admin):
    product = factories.products.make(sku="A-1")
    factories.products.make(sku="B-2", gtin="036000291452")
    head = "sku,gtin,low_stock_at,name,price\n"
    import_sheet(in_the_admin, f"{head}A-1,4006381333931,12,,\nNEW,96385074,0,Cup,3.00\nB-2,,,,\n")
    product.refresh_from_db()
    assert (product.gtin, product.low_stock_at) == ("4006381333931", 12)
    new = Product.objects.get(sku="NEW")
    assert (new.gtin, new.low_stock_at, new.stock_band) == ("96385074", 0, 0)
    page = upload(
        in_the_admin,
        f"{head}A-1,4006381333932,-1,,\nB-2,0000096385074,,,\nC-3,0036000291452,,Cup,1\n"
        "D-4,10614141000415,,Cup,1\nE-5,10614141000415,,Cup,1\nF-6,4.00638E+12,x,Cup,1\n",
    )
    assert errors(page).keys() == {
        *((2, "gtin"), (2, "low_stock_at"), (3, "gtin"), (4, "gtin"), (6, "gtin"), (7, "gtin")),
        (7, "low_stock_at"),
    }
