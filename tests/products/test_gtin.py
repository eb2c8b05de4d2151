"""GTINs of products: barcodes with a check digit, each of one product only."""

import pytest
from django.db import IntegrityError, transaction

from products.models import Product
from tests import factories
from tests.forms import submit

EAN_13, EAN_8, UPC_A, GTIN_14 = "4006381333931", "96385074", "036000291452", "10614141000415"


@pytest.fixture
def path(product):
    return f"/api/products/{product.pk}/"


def error(response):
    (entry,) = response.json()["errors"]
    return response.status_code, entry["pointer"], entry["code"]


def test_each_form_is_kept_as_it_is_given(as_clerk, path):
    for gtin in (EAN_13, EAN_8, UPC_A, GTIN_14, None):
        assert as_clerk.patch(path, {"gtin": gtin}).json()["gtin"] == gtin


@pytest.mark.parametrize(
    ("gtin", "code"),
    [
        ("4006381333932", "check_digit"),
        ("4006381339331", "check_digit"),  # two digits swapped
        ("400638133393", "check_digit"),  # one missing
        ("123456789", "invalid"),
        ("400638133393X", "invalid"),
        ("４００６３８１３３３９３１", "invalid"),
        (f"0{GTIN_14}", "max_length"),
        (4006381333931, "invalid"),
        ("", "blank"),
    ],
)
def test_another_text_is_refused(as_clerk, path, gtin, code):
    assert error(as_clerk.patch(path, {"gtin": gtin})) == (400, "/gtin", code)


def test_one_gtin_has_one_product_whatever_its_leading_zeros(as_clerk, product, path):
    other = factories.products.make(gtin=UPC_A)
    assert error(as_clerk.patch(path, {"gtin": f"0{UPC_A}"})) == (400, "/gtin", "unique")
    own = as_clerk.patch(f"/api/products/{other.pk}/", {"gtin": f"00{UPC_A}"})
    assert own.json()["gtin"] == f"00{UPC_A}"


@pytest.mark.parametrize(
    ("gtin", "constraint"), [(f"00{UPC_A}", "product_gtin_once"), ("12", "product_gtin_digits")]
)
def test_database_refuses_what_the_models_did_not_check(product, gtin, constraint):
    factories.products.make(gtin=UPC_A)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Product.objects.filter(pk=product.pk).update(gtin=gtin)


def test_filter_finds_several_in_any_form(api):
    for gtin in (EAN_13, UPC_A, EAN_8, None):
        factories.products.make(gtin=gtin)
    products = api.get(f"/api/products/?gtin={EAN_13},00{UPC_A}").json()["results"]
    assert [product["gtin"] for product in products] == [EAN_13, UPC_A]
    assert api.get("/api/products/?gtin=12345").status_code == 400


def test_admin_checks_digits_and_uniqueness(in_the_admin, product):
    factories.products.make(gtin=UPC_A)
    page = f"/admin/products/product/{product.pk}/change/"
    for gtin, message in [("4006381333932", "check digit"), (f"0{UPC_A}", "has this GTIN")]:
        assert message in submit(in_the_admin, page, gtin=gtin).content.decode()
    submit(in_the_admin, page, gtin=EAN_13)
    product.refresh_from_db()
    assert product.gtin == EAN_13
