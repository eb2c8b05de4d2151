"""However products are written, lists know how many there are, and that they were edited."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from products.models import Product
from products.pages import Census
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
            Product(name="M", sku=sku, price=1, is_active=False)
            for sku in (product.sku, "M-1", "M-2")
        ],
        update_conflicts=True,
        unique_fields=["sku"],
        update_fields=["is_active"],
    ),
    "retirement": lambda product: product.revise(is_active=False),
    "retirement of all": lambda product: Product.objects.update(is_active=False),
    "a saved row": resave,
    "a new name": lambda product: product.revise(name="Other"),
    "a new price": lambda product: product.revise(price="1.23"),
    "a deletion": lambda product: product.delete(),
    "deletion of all": lambda product: Product.objects.all().delete(),
    "a fixture": lambda product: call_command("loaddata", "customers", "products", verbosity=0),
    "a seed": lambda product: call_command("seed_shop", products=70, orders=5, verbosity=0),
    "SQL that adds": lambda product: execute(INSERT),
    "SQL that switches": lambda product: execute(
        "UPDATE products_product SET is_active = NOT is_active"
    ),
    "SQL that deletes": lambda product: execute("DELETE FROM products_product WHERE is_active"),
}


def check(census):
    assert census.for_sale == Product.objects.filter(is_active=True).count()
    assert census.retired == Product.objects.filter(is_active=False).count()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_census_is_taken_whoever_writes(write, product):
    factories.products.make(_quantity=4)
    factories.products.make(is_active=False)
    before = Census.now()
    check(before)
    write(product)
    after = Census.now()
    check(after)
    assert after.edition != before.edition
    write_that_fails_leaves_no_trace(after)


def write_that_fails_leaves_no_trace(census):
    with transaction.atomic():
        Product.objects.update(is_active=False)
        factories.products.make()
        assert Census.now() != census
        transaction.set_rollback(True)
    assert Census.now() == census


def test_stock_moves_without_a_new_edition(alice, clerk, product):
    before = Census.now()
    order = factories.place(alice, {product: 3})
    order.cancel(by=alice)
    product.adjust_stock(-product.quantity_in_stock, reason="damaged", by=clerk)
    assert Census.now() == before


def test_emptied_tables_are_an_empty_catalogue(transactional_db):
    factories.products.make(_quantity=3)
    call_command("flush", interactive=False, verbosity=0)
    assert Census.now()[1:] == (0, 0)


@pytest.mark.parametrize(
    "undoing",
    [
        "UPDATE products_census SET retired = retired + 1",
        "DELETE FROM products_census",
        "DROP TRIGGER products_edited{of_table}",
    ],
)
def test_census_that_is_off_or_lacks_a_trigger_is_not_kept(db, undoing):
    factories.products.make()
    assert Census.is_kept()
    of_table = " ON products_product" if connection.vendor == "postgresql" else ""
    execute(undoing.format(of_table=of_table))
    assert not Census.is_kept()


def test_census_is_one_row(db):
    with pytest.raises(IntegrityError):
        execute("INSERT INTO products_census (edition, for_sale, retired) VALUES (1, 0, 0)")


def test_triggers_find_the_census_whatever_the_search_path(db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has none")
    execute("SET LOCAL search_path = ''")
    execute("UPDATE public.products_product SET name = name")
    execute("SET LOCAL search_path = public")


def test_index_of_words_follows_every_write(db):
    def found(word):
        return {product.name for product in Product.objects.containing([word]).page(1, 100).rows}

    product = factories.products.make(name="Kenya", sku="K-1")
    execute(INSERT)
    assert Product.objects.containing(["kenya"]).page(1, 5).count == 2
    product.revise(name="Peru")
    assert (found("kenya"), found("peru")) == ({"Kenya"}, {"Peru"})
    Product.objects.filter(pk=product.pk).update(description="Round and sweet.")
    assert found("round") == {"Peru"}
    product.delete()
    assert found("peru") == set()
    if connection.vendor == "sqlite":
        execute("INSERT INTO products_words (products_words, rank) VALUES ('integrity-check', 1)")


def test_migration_goes_back_and_counts_what_is_there(transactional_db):
    factories.products.make(name="Kenya", _quantity=3)
    factories.products.make(is_active=False, quantity_in_stock=0)
    try:
        call_command("migrate", "products", "0002", verbosity=0)
    finally:
        call_command("migrate", verbosity=0)
    assert Census.now()[1:] == (3, 1)
    assert Product.objects.containing(["kenya"]).page(1, 5).count == 3
    assert Product.objects.sold_out().count() == 1


def test_census_adds_up_when_many_write_at_once(transactional_db):
    def write(number):
        try:
            for each in range(8):
                product = factories.products.make(sku=f"{number}-{each}")
                product.revise(is_active=each % 2 == 0)
            product.delete()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert Census.now()[1:] == (16, 12)


def test_new_name_is_found_at_once_by_every_worker(shop, clerk, product):
    def found():
        return {anyone.call("GET", path).body["count"] for _ in range(40)}

    anyone, path = shop.client(), "/api/products/?search=yemen"
    assert found() == {0}
    shop.client(clerk).call("PATCH", f"/api/products/{product.pk}/", {"name": "Yemen Haraz"})
    assert found() == {1}
