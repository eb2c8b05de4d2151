"""Orders exported from the admin's list as CSV and XLSX."""

import csv
import io
import re
import tracemalloc
from contextlib import ExitStack

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from orders.models import Order
from orders.resources import OrderResource
from shopply.api import sheet_admin, sheets
from shopply.api.slots import exporting, max_held_threads
from tests import factories

PATH = "/admin/orders/order/export/"
ORDERS, ITEMS = 0, 1
CSV, XLSX = 0, 1


def export(browser, query="", resource=ORDERS, file_format=CSV):
    return browser.post(f"{PATH}{query}", {"resource": resource, "format": file_format})


def read_csv(response):
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_xlsx(response):
    headers, *rows = load_workbook(io.BytesIO(response.content)).active.iter_rows(values_only=True)
    return [dict(zip(headers, row, strict=True)) for row in rows]


@pytest.fixture
def orders(alice, bob, clerk):
    coffee, tea = factories.products.make(name="Coffee"), factories.products.make(name="Tea")
    first = factories.place(alice, {coffee: 2, tea: 1}, note="Ring twice", reference="PO-1")
    first.confirm(by=clerk)
    second = factories.place(bob, {tea: 3})
    return [first, second]


def test_form_offers_rows_and_formats(in_the_admin, orders):
    page = in_the_admin.get(PATH).content.decode()
    for text in ("one for each order", "one for each item of an order", "CSV", "XLSX"):
        assert text in page
    page = in_the_admin.get("/admin/orders/order/?status__exact=placed").content.decode()
    assert f'href="{PATH}?status__exact=placed"' in page


def test_csv_has_a_row_for_each_order(in_the_admin, orders):
    response = export(in_the_admin)
    assert response["Content-Type"] == "text/csv"
    assert re.fullmatch(
        r'attachment; filename="Order-20\d\d-\d\d-\d\d\.csv"', response["Content-Disposition"]
    )
    first, second = read_csv(response)
    assert (first["order"], second["order"]) == tuple(str(order.pk) for order in orders)
    assert first["customer"] == "alice"
    assert first["total_price"] == str(orders[0].total_price) == "37.50"
    assert (first["note"], first["reference"], first["status"]) == (
        "Ring twice",
        "PO-1",
        "confirmed",
    )
    assert (first["street_1"], first["country"]) == ("Kattesundet 4", "Denmark")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["created"])


def test_csv_begins_with_the_mark_by_which_excel_knows_utf8(in_the_admin, orders):
    assert next(iter(export(in_the_admin).streaming_content)) == b"\xef\xbb\xbf"


@pytest.mark.parametrize("file_format", [CSV, XLSX])
def test_items_have_rows_of_their_own(in_the_admin, orders, file_format):
    response = export(in_the_admin, resource=ITEMS, file_format=file_format)
    rows = read_csv(response) if file_format == CSV else read_xlsx(response)
    assert [(str(row["order"]), row["name"], int(row["quantity"])) for row in rows] == [
        (str(orders[0].pk), "Coffee", 2),
        (str(orders[0].pk), "Tea", 1),
        (str(orders[1].pk), "Tea", 3),
    ]


def test_xlsx_has_numbers_where_they_are_numbers(in_the_admin, orders):
    first = read_xlsx(export(in_the_admin, resource=ITEMS, file_format=XLSX))[0]
    assert (first["unit_price"], first["quantity"], first["line_total"]) == (12.5, 2, 25)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?status__exact=confirmed", 1),
        ("?q=bob", 1),
        ("?q=nobody", 0),
        ("?o=-5.1&p=7&all=", 2),
        ("?created__year=1999", 0),
    ],
)
def test_export_has_what_the_list_shows(in_the_admin, orders, query, count):
    assert len(read_csv(export(in_the_admin, query))) == count


@pytest.mark.parametrize("query", ["?x=1", "?created__year=x", "?customer__password__startswith=a"])
def test_export_refuses_what_the_list_refuses(in_the_admin, orders, query):
    for response in (in_the_admin.get(PATH + query), export(in_the_admin, query)):
        assert response.status_code == 400


@pytest.mark.parametrize("form", [{"format": "9"}, {"format": "x"}, {"format": 0, "resource": "7"}])
def test_form_that_is_wrong_is_shown_again(in_the_admin, form):
    page = in_the_admin.post(PATH, form)
    assert page.status_code == 200
    assert "Select a valid choice" in page.content.decode()


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+45", "-5", "@SUM(A1)", "\t=1", "\r=1", "'=1", "＝1", "x;=1+1", "x\n=1+1"),
        '=HYPERLINK("http://x";"y")',
    ],
)
@pytest.mark.parametrize("file_format", [CSV, XLSX])
def test_text_is_no_formula(in_the_admin, orders, text, file_format):
    type(orders[0]).objects.filter(pk=orders[0].pk).update(note=text)
    response = export(in_the_admin, file_format=file_format)
    if file_format == XLSX:
        content = response.content
        sheet = load_workbook(io.BytesIO(content)).active
        assert "f" not in {cell.data_type for row in sheet for cell in row}
    rows = read_csv(response) if file_format == CSV else read_xlsx(response)
    note = rows[0]["note"]
    # However another country's spreadsheet divides it.
    assert not any(part.startswith(tuple("=+-@＝")) for part in re.split(r"[;\t\r\n]", note))
    assert sheets.unescape_formula(note).replace("\r", "\n") == text.replace("\r", "\n")


def test_negative_numbers_stay_numbers():
    assert list(sheets.write_csv(["a"], [[-5]]))[1:] == [b"a\r\n", b"-5\r\n"]


def test_export_needs_the_permission_to_view(client, clerk, orders):
    client.force_login(clerk)
    assert export(client).status_code == 403
    clerk.user_permissions.set(Permission.objects.filter(codename="view_order"))
    assert export(client).status_code == 200


@pytest.mark.parametrize(("permission", "is_shown"), [("view_customer", True), ("", False)])
def test_e_mail_is_for_staff_who_may_view_customers(client, clerk, orders, permission, is_shown):
    permissions = Permission.objects.filter(codename__in=["view_order", permission])
    clerk.user_permissions.set(permissions)
    client.force_login(clerk)
    for resource in (ORDERS, ITEMS):
        row = read_csv(export(client, resource=resource))[0]
        assert row.get("email") == (orders[0].customer.email if is_shown else None)
        assert row["customer"] == "alice"


def test_export_is_logged_with_its_rows(in_the_admin, orders):
    response = export(in_the_admin, "?q=bob")
    assert LogEntry.objects.get().change_message == "Began to export."
    b"".join(response.streaming_content)  # the client closes it then
    entry = LogEntry.objects.get()
    assert entry.change_message == "Exported 1 row."
    assert (entry.object_repr, entry.user.is_superuser) == ("orders as CSV", True)
    export(in_the_admin, file_format=XLSX)
    assert LogEntry.objects.first().object_repr == "orders as XLSX"
    assert "orders as CSV" in in_the_admin.get("/admin/").content.decode()


def test_export_that_is_not_read_to_its_end_releases_its_slot(clerk, orders):
    for _ in range(max_held_threads() + 1):
        log_entry = LogEntry(user=clerk, object_repr="orders", action_flag=CHANGE)
        resource = OrderResource()
        export = sheet_admin.Export(resource, Order.objects.all(), log_entry)
        stream = sheet_admin.CSVStream(resource.get_export_headers(), export)
        next(iter(stream))
        stream.close()
    assert LogEntry.objects.filter(change_message="Exported 0 rows.").count() > 1


def test_exports_leave_threads_free(in_the_admin, orders):
    with ExitStack() as stack:
        for _ in range(max_held_threads()):
            stack.enter_context(exporting.acquire())
        for file_format in (CSV, XLSX):
            page = export(in_the_admin, file_format=file_format)
            assert "The server is busy" in page.content.decode()
    assert not LogEntry.objects.exists()


def test_xlsx_with_too_many_rows_is_refused(in_the_admin, orders, monkeypatch):
    monkeypatch.setattr(sheets, "MAX_XLSX_ROWS", 1)
    page = export(in_the_admin, file_format=XLSX)
    assert "XLSX holds up to 1 rows: choose CSV, or filter the list." in page.content.decode()
    assert len(read_xlsx(export(in_the_admin, "?q=bob", file_format=XLSX))) == 1
    for _ in range(max_held_threads() + 1):
        export(in_the_admin, file_format=XLSX)  # none of which keeps its slot
    message = LogEntry.objects.earliest("pk").change_message
    assert message == "Exported 0 rows."


@pytest.mark.parametrize("resource", [ORDERS, ITEMS])
def test_each_batch_takes_the_same_number_of_queries(
    in_the_admin, orders, alice, monkeypatch, resource
):
    product = factories.products.make()
    for _ in range(6):
        factories.place(alice, {product: 1})

    def count():
        with CaptureQueriesContext(connection) as queries:
            assert len(read_csv(export(in_the_admin, resource=resource))) >= 8
        return len(queries)

    monkeypatch.setattr(sheet_admin, "BATCH_SIZE", 8)
    one_batch = count()
    monkeypatch.setattr(sheet_admin, "BATCH_SIZE", 4)
    two_batches = count()
    monkeypatch.setattr(sheet_admin, "BATCH_SIZE", 2)
    assert (count() - two_batches) == 2 * (two_batches - one_batch)


def test_memory_does_not_grow_with_the_rows(alice, monkeypatch):
    """Rows are written as they are read: a list of these would take 400 MB."""
    row = ["x" * 1_000] * 2

    def peak(count):
        tracemalloc.start()
        for _ in sheets.write_csv(["a", "b"], (row for _ in range(count))):
            pass
        _, size = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size

    peak(1_000)
    assert peak(20_000) < 1.5 * peak(2_000)
