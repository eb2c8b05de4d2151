import re
from contextlib import contextmanager

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import OrderItem
from products.models import Product
from tests import factories

ADJUSTMENTS = {"adjustments-TOTAL_FORMS": 1, "adjustments-INITIAL_FORMS": 0}
FORM = {"name": "Moka", "sku": "M-1", "price": "34.90", "description": "", "is_active": "on"}


def test_product_is_added_with_its_opening_stock(in_the_admin):
    answer = in_the_admin.post("/admin/products/product/add/", FORM | {"quantity_in_stock": 9})
    assert answer.status_code == 302
    assert Product.objects.get().adjustments.get().delta == 9


def test_stock_is_shown_afterwards_but_not_typed_over(in_the_admin, product):
    page = f"/admin/products/product/{product.pk}/change/"
    assert 'name="quantity_in_stock"' not in in_the_admin.get(page).content.decode()
    answer = in_the_admin.post(page, FORM | ADJUSTMENTS | {"quantity_in_stock": 9})
    assert answer.status_code == 302
    product.refresh_from_db()
    assert (product.name, product.quantity_in_stock) == ("Moka", 100)


def test_saving_an_unchanged_form_is_fine(in_the_admin, product):
    page = f"/admin/products/product/{product.pk}/change/"
    form = {**FORM, **ADJUSTMENTS, "name": product.name, "sku": product.sku, "price": product.price}
    assert in_the_admin.post(page, form).status_code == 302
    assert Product.objects.get().modified == product.modified
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("query", ["", "?q=moka", "?is_active__exact=1", "?stock=some", "?o=-3"])
def test_list_is_searched_filtered_and_sorted(in_the_admin, query):
    factories.products.make(name="Moka")
    assert "Moka" in in_the_admin.get(f"/admin/products/product/{query}").content.decode()


@pytest.mark.parametrize(("stock", "name"), [("none", "Cup"), ("few", "Moka"), ("some", "Can")])
def test_list_tells_what_to_order_again(in_the_admin, stock, name):
    for each, left in (("Cup", 0), ("Moka", 5), ("Can", 6)):
        factories.products.make(name=each, quantity_in_stock=left)
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
    """Fill in the row that the product's page has for it; the page that follows."""
    row = {"adjustments-0-delta": delta, "adjustments-0-reason": reason}
    form = {**FORM, "name": product.name, "sku": product.sku, "price": product.price, **fields}
    page = f"/admin/products/product/{product.pk}/change/"
    return in_the_admin.post(page, form | ADJUSTMENTS | row, follow=True).content.decode()


def test_stock_is_adjusted_by_a_signed_row_with_a_reason(in_the_admin, product):
    adjust(in_the_admin, product, -2)
    product.refresh_from_db()
    booked = product.adjustments.first()
    assert (product.quantity_in_stock, booked.delta, booked.reason) == (98, -2, "damaged")
    assert booked.actor.is_superuser
    page = in_the_admin.get("/admin/products/stockadjustment/?reason__exact=damaged")
    assert product.name in page.content.decode()


@pytest.mark.parametrize(
    ("delta", "reason", "told"),
    [
        (-101, "damaged", "The stock was not adjusted: there are 100 in stock."),
        (0, "damaged", "Must not be 0."),
        (5, "", "This field is required."),
        (10**12, "delivery", "Ensure this value is less than or equal to"),
    ],
)
def test_adjustment_that_cannot_be_is_refused_with_the_reason(
    in_the_admin, product, delta, reason, told
):
    assert told in adjust(in_the_admin, product, delta, reason)
    product.refresh_from_db()
    assert product.quantity_in_stock == 100
    assert product.adjustments.get().reason == "opening"
    assert not LogEntry.objects.exists()


def test_refused_adjustment_is_not_told_as_a_change_unless_something_else_was(
    in_the_admin, product
):
    page = adjust(in_the_admin, product, -101)
    assert "was changed successfully" not in page
    assert 'name="adjustments-0-delta"' in page  # to try again
    page = adjust(in_the_admin, product, -101, name="Moka")
    assert "was changed successfully" in page
    assert "The stock was not adjusted" in page
    product.refresh_from_db()
    assert "was changed successfully" in adjust(in_the_admin, product, -2)


def test_adjustment_tells_who_made_it_and_when(in_the_admin, stocked):
    page = f"/admin/products/stockadjustment/{stocked.adjustments.first().pk}/change/"
    fields = in_the_admin.get(page).content.decode()
    assert "field-actor" in fields
    assert "field-created" in fields


SELECTED = {"action": "delete_selected"}


@pytest.fixture
def stocked(product):
    product.adjust_stock(5, reason="delivery", by=None)
    return product


def test_product_that_nobody_ordered_is_deleted_with_its_adjustments(in_the_admin, stocked):
    page = f"/admin/products/product/{stocked.pk}/delete/"
    assert "Are you sure" in in_the_admin.get(page).content.decode()
    assert in_the_admin.post(page, {"post": "yes"}).status_code == 302
    assert not Product.objects.exists()


def test_selected_products_that_nobody_ordered_are_deleted(in_the_admin, stocked):
    chosen = SELECTED | {"_selected_action": stocked.pk}
    page = in_the_admin.post("/admin/products/product/", chosen)
    assert "Are you sure" in page.content.decode()
    in_the_admin.post("/admin/products/product/", chosen | {"post": "yes"})
    assert not Product.objects.exists()


def test_ordered_product_is_not_deleted_but_to_be_retired(in_the_admin, alice, stocked):
    factories.place(alice, {stocked: 1})
    page = f"/admin/products/product/{stocked.pk}/delete/"
    assert "Retire it instead" in in_the_admin.get(page).content.decode()
    assert "Retire it instead" in in_the_admin.post(page, {"post": "yes"}).content.decode()
    chosen = SELECTED | {"_selected_action": [stocked.pk, factories.products.make().pk]}
    page = in_the_admin.post("/admin/products/product/", chosen)
    assert "Retire them instead" in page.content.decode()
    in_the_admin.post("/admin/products/product/", chosen | {"post": "yes"})
    assert Product.objects.count() == 2


def test_deletion_reads_one_line_of_all_that_were_ordered(in_the_admin, as_clerk, alice, stocked):
    for _ in range(3):
        factories.place(alice, {stocked: 1})
    with CaptureQueriesContext(connection) as queries:
        in_the_admin.get(f"/admin/products/product/{stocked.pk}/delete/")
        assert as_clerk.delete(f"/api/products/{stocked.pk}/").status_code == 409
    looks = [each["sql"] for each in queries if OrderItem._meta.db_table in each["sql"]]
    assert len(looks) == 2
    assert all(look.endswith("LIMIT 1") for look in looks)


@contextmanager
def just_before(statement, act):
    """Has it done once, in the middle of the request: what was looked at is no longer so."""
    done = []

    def overtake(execute, sql, params, many, context):
        if sql.startswith(statement) and not done:
            done.append(act())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(overtake):
        yield
    assert done


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["on its page", "in the list"])
def test_product_that_is_ordered_during_its_deletion_stays(in_the_admin, alice, where):
    in_the_admin.raise_request_exception = False
    product = factories.products.make(quantity_in_stock=5)
    page, form = f"/admin/products/product/{product.pk}/delete/", {"post": "yes"}
    if where == "in the list":
        page = "/admin/products/product/"
        form |= SELECTED | {"_selected_action": product.pk}
    with just_before("DELETE", lambda: factories.place(alice, {product: 1})):
        answer = in_the_admin.post(page, form)
    assert (answer.status_code, b"Changed by somebody else" in answer.content) == (409, True)
    assert Product.objects.exists()
    assert product.adjustments.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "act",
    [lambda: Product.objects.all().delete(), lambda: factories.products.make(sku="NEW")],
    ids=["deleted", "its new SKU taken"],
)
def test_product_overtaken_while_it_is_saved_is_as_the_other_left_it(in_the_admin, act):
    in_the_admin.raise_request_exception = False
    product = factories.products.make()
    page = f"/admin/products/product/{product.pk}/change/"
    form = {**FORM, **ADJUSTMENTS, "sku": "NEW"}
    with just_before("UPDATE", act):
        answer = in_the_admin.post(page, form)
    assert (answer.status_code, b"Changed by somebody else" in answer.content) == (409, True)
    assert not LogEntry.objects.exists()


def test_adjustment_is_not_deleted_by_itself(in_the_admin, stocked):
    page = f"/admin/products/stockadjustment/{stocked.adjustments.first().pk}/delete/"
    assert in_the_admin.post(page, {"post": "yes"}).status_code == 403


def test_products_are_added_without_sku_and_an_sku_once_in_any_case(in_the_admin):
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


def test_only_so_many_products_are_deleted_at_once(in_the_admin, monkeypatch):
    monkeypatch.setattr("shopply.admin.MAX_DELETED", 2)
    products = factories.products.make(_quantity=3)
    form = SELECTED | {"_selected_action": [product.pk for product in products], "post": "yes"}
    page = in_the_admin.post("/admin/products/product/", form, follow=True).content.decode()
    assert "Delete at most 2 at once." in page
    assert Product.objects.count() == 3
