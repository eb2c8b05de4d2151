import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from products.managers import OutOfStock, UnknownProducts
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


def take(quantities):
    with transaction.atomic():
        return Product.objects.take_stock(quantities)


def test_stock_is_taken_to_the_last_piece(shelf):
    moka, _, cup = shelf
    taken = take({cup.pk: 7, moka.pk: 1})
    assert stock() == {"Moka": 3, "Kenya": 0, "Cup": 0}
    assert [(pk, product.sku) for pk, product in taken.items()] == [
        (moka.pk, moka.sku),
        (cup.pk, cup.sku),
    ]


def test_every_shortage_is_told_and_nothing_is_taken(shelf):
    moka, kenya, cup = shelf
    with pytest.raises(OutOfStock) as told:
        take({moka.pk: 5, kenya.pk: 1, cup.pk: 7})
    short = [(s.product.name, s.requested, s.available) for s in told.value.shortages]
    assert short == [("Moka", 5, 4), ("Kenya", 1, 0)]
    assert stock() == {"Moka": 4, "Kenya": 0, "Cup": 7}


def test_retired_product_has_none_available(shelf):
    shelf[2].update_fields(is_active=False)
    with pytest.raises(OutOfStock) as told:
        take({shelf[2].pk: 1})
    assert told.value.shortages[0].available == 0


def test_unknown_ids_are_told_and_nothing_is_taken(shelf):
    with pytest.raises(UnknownProducts) as told:
        take({shelf[0].pk: 1, 987654321: 1, 2**63 - 1: 1})
    assert told.value.ids == [987654321, 2**63 - 1]
    assert stock()["Moka"] == 4


def test_number_of_queries_does_not_grow_with_the_lines(shelf):
    counts = []
    for products in (shelf[:1], factories.products.make(_quantity=30)):
        with CaptureQueriesContext(connection) as queries:
            take({product.pk: 1 for product in products})
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("field", "value", "constraint"),
    [
        ("quantity_in_stock", -1, "product_stock_not_negative|quantity_in_stock"),
        ("price", "-0.01", "product_price_not_negative"),
    ],
)
def test_database_refuses_what_must_never_be(shelf, field, value, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Product.objects.update(**{field: value})
