import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from products.managers import NotForSale, OutOfStock
from products.models import Product
from tests import factories


def stock():
    return {product.name: product.quantity_in_stock for product in Product.objects.all()}


@pytest.fixture
def shelf(db):
    return [
        factories.products.make(name=name, quantity_in_stock=n)
        for name, n in (("Moka", 4), ("Kenya", 0), ("Cup", 7))
    ]


def take_stock(quantities):
    with transaction.atomic():
        return Product.objects.take_stock(quantities)


def test_all_stock_can_be_taken(shelf):
    moka, _, cup = shelf
    taken = take_stock({cup.pk: 7, moka.pk: 1})
    assert stock() == {"Moka": 3, "Kenya": 0, "Cup": 0}
    assert [(pk, product.sku) for pk, product in taken.items()] == [
        (moka.pk, moka.sku),
        (cup.pk, cup.sku),
    ]


def test_every_shortage_is_reported_and_nothing_is_taken(shelf):
    moka, kenya, cup = shelf
    with pytest.raises(OutOfStock) as exc_info:
        take_stock({moka.pk: 5, kenya.pk: 1, cup.pk: 7})
    shortages = [(s.product.name, s.requested, s.available) for s in exc_info.value.shortages]
    assert shortages == [("Moka", 5, 4), ("Kenya", 1, 0)]
    assert stock() == {"Moka": 4, "Kenya": 0, "Cup": 7}


def test_products_not_for_sale_are_reported_and_nothing_is_taken(shelf):
    moka, kenya, cup = shelf
    cup.update_fields(is_active=False)
    with pytest.raises(NotForSale) as exc_info:
        take_stock({moka.pk: 2, kenya.pk: 1, cup.pk: 1, 987654321: 1, 2**63 - 1: 1})
    assert exc_info.value.ids == [cup.pk, 987654321, 2**63 - 1]
    assert [shortage.product.name for shortage in exc_info.value.shortages] == ["Kenya"]
    assert exc_info.value.available == {moka.pk: 2}
    assert stock()["Moka"] == 4


def test_query_count_does_not_grow_with_the_products(shelf):
    counts = []
    for products in (shelf[:1], factories.products.make(_quantity=30)):
        with CaptureQueriesContext(connection) as queries:
            take_stock({product.pk: 1 for product in products})
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("field", "value", "constraint"),
    [
        ("quantity_in_stock", -1, "product_stock_not_negative|quantity_in_stock"),
        ("price", "-0.01", "product_price_not_negative"),
    ],
)
def test_database_refuses_invalid_values(shelf, field, value, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Product.objects.update(**{field: value})
