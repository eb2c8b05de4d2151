import re
from contextlib import contextmanager

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import OrderItem
from products.models import MAX_STOCK, Product
from tests import factories
from tests.forms import form_data, submit

FORM = {"name": "Moka", "sku": "M-1", "price": "34.90", "description": "", "is_active": "on"}


def test_product_is_added_with_its_opening_stock(in_the_admin):
    response = in_the_admin.post("/admin/products/product/add/", FORM | {"quantity_in_stock": 9})
    assert response.status_code == 302
    assert Product.objects.get().adjustments.get().delta == 9


def test_stock_of_a_product_cannot_be_edited(in_the_admin, product):
    page = f"/admin/products/product/{product.pk}/change/"
    assert 'name="quantity_in_stock"' not in in_the_admin.get(page).content.decode()
    response = submit(in_the_admin, page, name="Moka", quantity_in_stock=9)
    assert response.status_code == 302
    product.refresh_from_db()
    assert (product.name, product.quantity_in_stock) == ("Moka", 100)


def test_saving_an_unchanged_form_changes_nothing(in_the_admin, product):
    page = f"/admin/products/product/{product.pk}/change/"
    assert submit(in_the_admin, page).status_code == 302
    assert Product.objects.get().modified == product.modified
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("query", ["", "?q=moka", "?is_active__exact=1", "?stock=some", "?o=-3"])
def test_list_is_searched_filtered_and_sorted(in_the_admin, query):
    factories.products.make(name="Moka")
    assert "Moka" in in_the_admin.get(f"/admin/products/product/{query}").content.decode()


@pytest.mark.parametrize(("stock", "name"), [("none", "Cup"), ("few", "Moka"), ("some", "Can")])
def test_stock_filter_lists_what_to_reorder(in_the_admin, stock, name):
    for product_name, quantity in (("Cup", 0), ("Moka", 5), ("Can", 6)):
        factories.products.make(name=product_name, quantity_in_stock=quantity)
    page = in_the_admin.get(f"/admin/products/product/?stock={stock}")
    assert [product.name for product in page.context["cl"].queryset] == [name]


def test_list_marks_what_is_sold_out(in_the_admin):
    factories.products.make(quantity_in_stock=0)
    factories.products.make(quantity_in_stock=6)
    page = in_the_admin.get("/admin/products/product/?o=4").content.decode()
    assert re.findall(r'<td class="field-stock">(.+?)</td>', page) == [
        '<strong class="sold-out">Sold out</strong>',
        "6",
    ]


def adjust(in_the_admin, product, delta, reason="damaged", **fields):
    """Submit an adjustment on the product's page; return the response."""
    row = {"adjustments-0-delta": delta, "adjustments-0-reason": reason}
    page = f"/admin/products/product/{product.pk}/change/"
    return submit(in_the_admin, page, **row, **fields)


def test_stock_is_adjusted_by_a_signed_row_with_a_reason(in_the_admin, product):
    adjust(in_the_admin, product, -2)
    product.refresh_from_db()
    adjustment = product.adjustments.first()
    assert (product.quantity_in_stock, adjustment.delta, adjustment.reason) == (98, -2, "damaged")
    assert adjustment.actor.is_superuser
    page = in_the_admin.get("/admin/products/stockadjustment/?reason__exact=damaged")
    assert product.name in page.content.decode()


@pytest.mark.parametrize(
    ("delta", "reason", "message"),
    [
        (-101, "damaged", "There are only 100 in stock."),
        (MAX_STOCK, "delivery", "The stock would be over 1,000,000,000."),
        ("1.000", "delivery", "Enter a whole number, without separators between thousands."),
        ("1,5", "delivery", "Enter a whole number, without separators between thousands."),
        (0, "damaged", "Must not be 0."),
        (5, "", "This field is required."),
        (5, "opening", "Select a valid choice. opening is not one of the available choices."),
        (10**12, "delivery", "Ensure this value is less than or equal to"),
    ],
)
def test_invalid_adjustment_is_refused_with_a_message(
    in_the_admin, product, delta, reason, message
):
    page = adjust(in_the_admin, product, delta, reason, name="Moka")
    assert message in page.content.decode()
    assert form_data(page)["adjustments-0-delta"] == [str(delta)]
    assert form_data(page)["name"] == ["Moka"]
    row = Product.objects.get()
    assert (row.name, row.quantity_in_stock) == (product.name, 100)
    assert product.adjustments.get().reason == "opening"
    assert not LogEntry.objects.exists()


def test_corrected_adjustment_is_booked_with_the_rest_of_the_form(in_the_admin, product):
    page = adjust(in_the_admin, product, -101, name="Moka")
    form = form_data(page) | {"adjustments-0-delta": -100}
    in_the_admin.post(page.wsgi_request.path, form)
    product.refresh_from_db()
    assert (product.name, product.quantity_in_stock) == ("Moka", 0)


def test_adjustment_shows_its_actor_and_time(in_the_admin, product_with_stock):
    page = f"/admin/products/stockadjustment/{product_with_stock.adjustments.first().pk}/change/"
    fields = in_the_admin.get(page).content.decode()
    assert "field-actor" in fields
    assert "field-created" in fields


SELECTED = {"action": "delete_selected"}


@pytest.fixture
def product_with_stock(product):
    product.adjust_stock(5, reason="delivery", by=None)
    return product


def test_product_without_orders_is_deleted_with_its_adjustments(in_the_admin, product_with_stock):
    page = f"/admin/products/product/{product_with_stock.pk}/delete/"
    assert "Are you sure" in in_the_admin.get(page).content.decode()
    assert in_the_admin.post(page, {"post": "yes"}).status_code == 302
    assert not Product.objects.exists()


def test_selected_products_without_orders_are_deleted(in_the_admin, product_with_stock):
    form = SELECTED | {"_selected_action": product_with_stock.pk}
    page = in_the_admin.post("/admin/products/product/", form)
    assert "Are you sure" in page.content.decode()
    in_the_admin.post("/admin/products/product/", form | {"post": "yes"})
    assert not Product.objects.exists()


def test_deletion_of_an_ordered_product_suggests_retiring_it(
    in_the_admin, alice, product_with_stock
):
    factories.place(alice, {product_with_stock: 1})
    page = f"/admin/products/product/{product_with_stock.pk}/delete/"
    assert "Retire it instead" in in_the_admin.get(page).content.decode()
    assert "Retire it instead" in in_the_admin.post(page, {"post": "yes"}).content.decode()
    form = SELECTED | {"_selected_action": [product_with_stock.pk, factories.products.make().pk]}
    page = in_the_admin.post("/admin/products/product/", form)
    assert "Retire them instead" in page.content.decode()
    in_the_admin.post("/admin/products/product/", form | {"post": "yes"})
    assert Product.objects.count() == 2


def test_deletion_reads_at_most_one_order_item(in_the_admin, as_clerk, alice, product_with_stock):
    for _ in range(3):
        factories.place(alice, {product_with_stock: 1})
    with CaptureQueriesContext(connection) as queries:
        in_the_admin.get(f"/admin/products/product/{product_with_stock.pk}/delete/")
        assert as_clerk.delete(f"/api/products/{product_with_stock.pk}/").status_code == 409
    statements = [query["sql"] for query in queries if OrderItem._meta.db_table in query["sql"]]
    assert len(statements) == 2
    assert all(sql.endswith("LIMIT 1") for sql in statements)


@contextmanager
def just_before(statement, act):
    """Call `act` once, before the first such statement, after the request has read the rows."""
    results = []

    def overtake(execute, sql, params, many, context):
        if sql.startswith(statement) and not results:
            results.append(act())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(overtake):
        yield
    assert results


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["on its page", "in the list"])
def test_product_ordered_during_its_deletion_stays(in_the_admin, alice, where):
    in_the_admin.raise_request_exception = False
    product = factories.products.make(quantity_in_stock=5)
    page, form = f"/admin/products/product/{product.pk}/delete/", {"post": "yes"}
    if where == "in the list":
        page = "/admin/products/product/"
        form |= SELECTED | {"_selected_action": product.pk}
    with just_before("DELETE", lambda: factories.place(alice, {product: 1})):
        response = in_the_admin.post(page, form)
    assert (response.status_code, b"Changed by somebody else" in response.content) == (409, True)
    assert Product.objects.exists()
    assert product.adjustments.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "act",
    [lambda: Product.objects.all().delete(), lambda: factories.products.make(sku="NEW")],
    ids=["deleted", "its new SKU taken"],
)
def test_product_changed_while_it_is_saved_is_not_overwritten(in_the_admin, act):
    in_the_admin.raise_request_exception = False
    product = factories.products.make()
    page = f"/admin/products/product/{product.pk}/change/"
    form = form_data(in_the_admin.get(page)) | {"sku": "NEW"}
    with just_before("UPDATE", act):
        response = in_the_admin.post(page, form)
    assert (response.status_code, b"Changed by somebody else" in response.content) == (409, True)
    assert not LogEntry.objects.exists()


def test_adjustment_cannot_be_deleted(in_the_admin, product_with_stock):
    page = f"/admin/products/stockadjustment/{product_with_stock.adjustments.first().pk}/delete/"
    assert in_the_admin.post(page, {"post": "yes"}).status_code == 403


def test_sku_is_optional_and_unique_in_any_case(in_the_admin):
    for name in ("Cup", "Can"):
        in_the_admin.post(
            "/admin/products/product/add/", FORM | {"name": name, "sku": "", "quantity_in_stock": 0}
        )
    assert [product.sku for product in Product.objects.all()] == [None, None]
    factories.products.make(sku="Pot-1")
    page = in_the_admin.post(
        "/admin/products/product/add/",
        FORM | {"name": "Pot", "sku": "POT-1", "quantity_in_stock": 0},
    )
    assert "Another product has this SKU." in page.content.decode()


def test_number_of_products_deleted_at_once_is_limited(in_the_admin, monkeypatch):
    monkeypatch.setattr("shopply.admin.MAX_DELETED", 2)
    products = factories.products.make(_quantity=3)
    form = SELECTED | {"_selected_action": [product.pk for product in products], "post": "yes"}
    page = in_the_admin.post("/admin/products/product/", form, follow=True).content.decode()
    assert "Delete at most 2 at once." in page
    assert Product.objects.count() == 3


@pytest.mark.parametrize(
    ("currency", "entry", "price"),
    [
        *(("EUR", "12,50", "12.50"), ("EUR", " 12,5 ", "12.50"), ("EUR", "1250", "1250.00")),
        *(("EUR", entry, None) for entry in ("1.234,50", "1,234.50", "1,234", "1 234", "12,")),
        *(("JPY", "12,50", None), ("KWD", "1,234", None), ("KWD", "1.234", "1.234")),
    ],
)
def test_price_with_a_comma_is_exact_or_refused(in_the_admin, settings, currency, entry, price):
    settings.SHOP_CURRENCY = currency
    form = FORM | {"price": entry, "quantity_in_stock": 0}
    page = in_the_admin.post("/admin/products/product/add/", form)
    assert [str(product.price) for product in Product.objects.all()] == [price] * bool(price)
    assert price or form_data(page)["price"] == [entry]


@pytest.mark.parametrize("entry", ["1.000", "1,5", "1 000", "1_000", "1e3"])
def test_quantity_with_a_separator_is_refused(in_the_admin, entry):
    form = FORM | {"quantity_in_stock": entry}
    page = in_the_admin.post("/admin/products/product/add/", form).content.decode()
    assert "Enter a whole number, without separators between thousands." in page


def test_each_input_of_an_adjustment_has_a_label(in_the_admin, product):
    page = in_the_admin.get(f"/admin/products/product/{product.pk}/change/").content.decode()
    for name in ("Quantity change", "Reason", "Note"):
        assert f'aria-label="{name}"' in page


def test_openings_and_returns_are_no_reasons_to_adjust_the_stock(in_the_admin, product):
    page = in_the_admin.get(f"/admin/products/product/{product.pk}/change/").content.decode()
    (options,) = re.findall('<select name="adjustments-0-reason".*?</select>', page, re.DOTALL)
    assert re.findall('value="(.*?)"', options) == [
        *("", "delivery", "stocktake", "damaged", "correction")
    ]


def test_form_that_is_sent_twice_books_once(in_the_admin, product):
    page = f"/admin/products/product/{product.pk}/change/"
    form = form_data(in_the_admin.get(page))
    form |= {"adjustments-0-delta": ["12"], "adjustments-0-reason": ["delivery"]}
    in_the_admin.post(page, form)
    response = in_the_admin.post(page, form | {"adjustments-0-delta": ["13"]}, follow=True)
    assert "booked before (+12 Delivery). Nothing was booked again." in response.content.decode()
    product.refresh_from_db()
    assert product.quantity_in_stock == 112
    assert LogEntry.objects.count() == 1
