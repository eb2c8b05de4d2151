"""Forms with widgets and inlines that the shop has none of: they are guarded like all others."""

from datetime import timedelta

import pytest
from django.contrib.admin import ModelAdmin, TabularInline
from django.urls import path

import shopply.urls
from customers.models import Customer
from products.models import Product, StockAdjustment
from shopply.admin import ShopAdminSite
from tests.forms import form_data


class CustomerAdmin(ModelAdmin):
    change_form_template = "admin/change_form.html"  # not that of the shop's own
    fields = ("city", "date_joined", "groups", "user_permissions")
    filter_horizontal = ("user_permissions",)
    raw_id_fields = ("groups",)


class AdjustmentInline(TabularInline):
    model = StockAdjustment
    fields = ("delta", "note", "reason")
    extra = 0


class ProductAdmin(ModelAdmin):
    fields = ("name",)
    inlines = (AdjustmentInline,)


site = ShopAdminSite()
site.register(Customer, CustomerAdmin)
site.register(Product, ProductAdmin)
urlpatterns = [path("admin/", site.urls), *shopply.urls.urlpatterns]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def customer_page(alice):
    return f"/admin/customers/customer/{alice.pk}/change/"


@pytest.fixture
def product_page(product):
    return f"/admin/products/product/{product.pk}/change/"


def test_split_widget_and_ids_that_were_left_alone_keep_their_row(
    in_the_admin, customer_page, alice
):
    form = form_data(in_the_admin.get(customer_page))
    joined = alice.date_joined - timedelta(days=3)
    Customer.objects.update(date_joined=joined)
    alice.groups.create(name="Couriers")
    assert in_the_admin.post(customer_page, form | {"city": "Ribe"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.city, alice.date_joined, alice.groups.count()) == ("Ribe", joined, 1)


def test_split_widget_conflicts(in_the_admin, customer_page, alice):
    form = form_data(in_the_admin.get(customer_page))
    Customer.objects.update(date_joined=alice.date_joined - timedelta(days=3))
    response = in_the_admin.post(customer_page, form | {"date_joined_0": "2020-02-03"})
    assert response.status_code == 409
    (row,) = response.context["conflicts"]
    assert row.entered.startswith("2020-02-03 ")
    assert row.shown.startswith(f"{alice.date_joined:%Y-%m-%d} ")


def test_rows_of_an_inline_are_merged(in_the_admin, product_page, product):
    form = form_data(in_the_admin.get(product_page))
    product.adjustments.update(note="Theirs")
    assert form["adjustments-0-note"] == [""]
    assert in_the_admin.post(product_page, form | {"adjustments-0-delta": 7}).status_code == 302
    adjustment = product.adjustments.get()
    assert (adjustment.note, adjustment.delta) == ("Theirs", 7)


def test_row_of_an_inline_conflicts(in_the_admin, product_page, product):
    form = form_data(in_the_admin.get(product_page)) | {"name": "Moka"}
    product.adjustments.update(note="Theirs")
    response = in_the_admin.post(product_page, form | {"adjustments-0-note": "Mine"})
    assert response.status_code == 409
    (row,) = response.context["conflicts"]
    assert (row.label, row.saved, row.entered) == ("Note", "Theirs", "Mine")
    assert (product.adjustments.get().note, Product.objects.get().name) == ("Theirs", product.name)
    assert in_the_admin.post(product_page, form_data(response)).status_code == 302
    assert (product.adjustments.get().note, Product.objects.get().name) == ("Mine", "Moka")


def test_row_of_an_inline_can_be_deleted(in_the_admin, product_page, product):
    form = form_data(in_the_admin.get(product_page)) | {"adjustments-0-DELETE": "on"}
    assert in_the_admin.post(product_page, form).status_code == 302
    assert not product.adjustments.exists()


def test_row_of_an_inline_is_no_other_row(in_the_admin, product_page, product):
    product.adjust_stock(5, reason="delivery", by=None)
    form = form_data(in_the_admin.get(product_page))
    ids = [form[f"adjustments-{row}-id"] for row in (0, 1)]
    swapped = {"adjustments-0-id": ids[1], "adjustments-1-id": ids[0]}
    assert in_the_admin.post(product_page, form | swapped).status_code == 400
