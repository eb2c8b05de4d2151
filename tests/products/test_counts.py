"""Lists report the right counts, however products are written."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, transaction

from products.models import Product
from tests import factories

INSERT = (
    "INSERT INTO products_product"
    " (name, description, sku, price, quantity_in_stock, is_active, created, modified)"
    " SELECT name, description, sku || '-again', price, 0, is_active, created, modified"
    " FROM products_product"
)


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def resave(product):
    product.is_active = not product.is_active
    product.save()


WRITES = {
    "a new product": lambda product: factories.products.make(),
    "a new one, retired": lambda product: factories.products.make(is_active=False),
    "many new ones": lambda product: Product.objects.bulk_create(
        Product(name="M", sku=f"M-{n}", price=1, is_active=n % 3 > 0) for n in range(50)
    ),
    "some new or old": lambda product: Product.objects.bulk_create(
        [
            Product(pk=pk, name="M", price=1, is_active=False, created=product.created)
            for pk in (product.pk, 10**6, 10**6 + 1)
        ],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["is_active"],
    ),
    "retirement": lambda product: product.update_fields(is_active=False),
    "retirement of all": lambda product: Product.objects.update(is_active=False),
    "a saved row": resave,
    "a new name": lambda product: product.update_fields(name="Other"),
    "a new price": lambda product: product.update_fields(price="1.23"),
    "a deletion": lambda product: product.delete(),
    "deletion of all": lambda product: Product.objects.all().delete(),
    "a fixture": lambda product: call_command("loaddata", "customers", "products", verbosity=0),
    "a seed": lambda product: call_command("seed_shop", products=70, orders=5, verbosity=0),
    "SQL that adds": lambda product: execute(INSERT),
    "SQL that switches": lambda product: execute(
        "UPDATE products_product SET is_active = NOT is_active"
    ),
    "SQL that deletes": lambda product: [
        execute("DELETE FROM products_stockadjustment"),
        execute("DELETE FROM products_product WHERE is_active"),
    ],
}


ANYONE, STAFF = SimpleNamespace(is_staff=False), SimpleNamespace(is_staff=True)


def counts():
    """The counts that lists report: products for sale, and all products."""
    return Product.objects.count_visible_to(ANYONE), Product.objects.count_visible_to(STAFF)


def check():
    assert counts() == (Product.objects.filter(is_active=True).count(), Product.objects.count())


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_counts_are_right_after_every_write(write, product):
    factories.products.make(_quantity=4)
    factories.products.make(is_active=False)
    check()
    write(product)
    check()
    before = counts()
    with transaction.atomic():
        Product.objects.update(is_active=False)
        factories.products.make()
        assert counts() != before
        transaction.set_rollback(True)
    assert counts() == before


def test_flush_resets_the_counts(transactional_db):
    factories.products.make(_quantity=3)
    call_command("flush", interactive=False, verbosity=0)
    assert counts() == (0, 0)


def test_counts_are_one_row(db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite counts the rows each time")
    with pytest.raises(IntegrityError):
        execute("INSERT INTO products_counts (for_sale, retired) VALUES (1, 0)")


def test_sale_does_not_wait_for_an_edit_of_the_catalogue(alice, transactional_db):
    """A transaction that adds a product locks the row of the counts until it ends."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite locks the whole database")
    product = factories.products.make()
    rival = connections.create_connection("default")
    rival.set_autocommit(False)
    with rival.cursor() as cursor:
        cursor.execute("UPDATE products_counts SET retired = retired")
    execute("SET lock_timeout = 500")
    factories.place(alice, {product: 1}).cancel(by=alice)
    rival.rollback()
    rival.close()
    connection.close()


def test_triggers_do_not_depend_on_the_search_path(db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has none")
    execute("SET LOCAL search_path = ''")
    execute("UPDATE public.products_product SET is_active = NOT is_active")
    execute("SET LOCAL search_path = public")


@pytest.mark.slow
def test_migration_is_reversible_and_counts_existing_products(transactional_db):
    factories.products.make(name="Kenya", _quantity=3)
    factories.products.make(is_active=False, quantity_in_stock=0)
    try:
        call_command("migrate", "products", "0002", verbosity=0)
    finally:
        call_command("migrate", verbosity=0)
    assert counts() == (3, 4)
    assert Product.objects.search(["kenya"]).count() == 3
    assert Product.objects.sold_out().count() == 1


def test_counts_are_right_after_concurrent_writes(transactional_db):
    def write(number):
        try:
            for index in range(8):
                product = factories.products.make(sku=f"{number}-{index}")
                product.update_fields(is_active=index % 2 == 0)
            product.delete()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert counts() == (16, 28)
