"""Lists are cut, counted and searched with the help of indexes: the same as without them."""

import random
import re
from functools import reduce
from operator import and_

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from products import pages
from products.models import Product
from tests import factories

LIST = "/api/products/"
ORDERINGS = ("pk", "name", "-name", "price", "-price", "created", "-created", "price,-name")
# What means something to LIKE, to FTS5 and to SQL, and letters that are not ASCII.
ALPHABET = ["a", "B", "b", "ä", "Ä", "ß", "é", "Σ", "ı", "%", "_", "\\", "'", '"', "*", "-", " "]


@pytest.fixture
def few_are_many(monkeypatch):
    """Lists of more than four are found and counted as those of thousands are."""
    monkeypatch.setattr(pages, "FEW", 4)
    monkeypatch.setattr(pages, "SHALLOW", 3)


def any_text(chance, longest):
    return "".join(chance.choices(ALPHABET, k=chance.randint(0, longest)))


@pytest.fixture
def shelf(db):
    chance = random.Random(1)
    Product.objects.bulk_create(
        Product(
            name=f"{any_text(chance, 2)}{chance.choice(('Kenya', 'Peru', 'kenia'))}",
            description=any_text(chance, 12),
            sku=f"{any_text(chance, 4)}{number}",
            price=chance.choice(("9.00", "9.10", "12.50")),
            quantity_in_stock=chance.choice((0, 3)),
            is_active=chance.random() < 0.8,
        )
        for number in range(60)
    )
    return chance


def paged(products, size):
    """The ids of all pages, and the counts that they told."""
    found, counts, number, more = [], set(), 1, True
    while more:
        page = products.page(number, size)
        assert len(page.rows) == size or not page.more
        found += [product.pk for product in page.rows]
        counts.add(page.count)
        number, more = number + 1, page.more
    assert products.page(number, size).rows == []
    return found, counts


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("many", [False, True])
def test_pages_are_the_list_in_its_order_cut(shelf, many, size, ordering, request):
    if many:
        request.getfixturevalue("few_are_many")
    everything = Product.objects.order_by(*ordering.split(","), "pk")
    for products in (
        everything,
        everything.for_sale(),
        everything.for_sale().stocked(),
        everything.sold_out(),
        everything.at_least("9.10"),
        everything.for_sale().at_least("9").at_most("9.10").stocked(),
        everything.for_sale().containing(["ken"]),
        everything.containing(["e", "kenya"]).at_most("12.00"),
        everything.containing(["no such word"]),
    ):
        expected = list(products.values_list("pk", flat=True))
        assert paged(products, size) == (expected, {len(expected)})


def test_filters_mean_what_they_say(shelf):
    def same(products, *conditions):
        assert set(products) == set(Product.objects.filter(*conditions))

    same(Product.objects.stocked(), Q(quantity_in_stock__gt=0))
    same(Product.objects.sold_out(), Q(quantity_in_stock=0))
    same(Product.objects.at_least("9.10"), Q(price__gte="9.10"))
    same(Product.objects.at_most("9.10"), Q(price__lte="9.10"))


def plain(words):
    """The search as Django has it, of no index."""
    each = (
        Q(name__icontains=word) | Q(description__icontains=word) | Q(sku__icontains=word)
        for word in words
    )
    return Product.objects.filter(reduce(and_, each)).order_by("pk")


@pytest.mark.parametrize("many", [False, True])
def test_search_finds_what_comparing_every_text_does(shelf, many, request):
    if many:
        request.getfixturevalue("few_are_many")
    texts = list(Product.objects.values_list("name", "description", "sku"))
    hits = 0
    for _ in range(400):
        text = shelf.choice(shelf.choice(texts))
        start = shelf.randint(0, len(text))
        part = text[start : start + shelf.randint(1, 6)]
        part = shelf.choice((str.upper, str.lower, str))(part) or "%"
        words = [part, any_text(shelf, 2) or "e"][: shelf.randint(1, 2)]
        expected = list(plain(words).values_list("pk", flat=True))
        searched = Product.objects.order_by("pk").containing(words)
        assert paged(searched, 100) == (expected, {len(expected)}), words
        hits += bool(expected)
    assert hits > 100


def test_word_is_not_found_where_two_texts_meet(db):
    factories.products.make(name="Moka", description="Pot", sku="S-1")
    factories.products.make(name="Mo\nka", description="Cup", sku="S-2")
    for words, found in ((["moka\npot"], 0), (["mokapot"], 0), (["mo\nka"], 1), (["a\np"], 0)):
        assert Product.objects.containing(words).page(1, 5).count == found == plain(words).count()


def test_long_lists_that_were_narrowed_are_counted_up_to_a_limit(api, shelf, monkeypatch):
    monkeypatch.setattr(pages, "FEW", 4)
    monkeypatch.setattr(pages, "MOST", 10)
    expected = Product.objects.for_sale().filter(price__gte="9.10").order_by("pk")
    found, path = [], f"{LIST}?min_price=9.10"
    while path:
        answer = api.get(path).json()
        assert answer["count"] == 10
        found += [product["id"] for product in answer["results"]]
        path = answer["next"]
    assert found == list(expected.values_list("pk", flat=True))
    beyond = len(found) // 5 + 2
    for number in (beyond, 10**17):
        assert api.get(f"{LIST}?min_price=9.10&page={number}").status_code == 404
    assert api.get(LIST).json()["count"] == Product.objects.for_sale().count()


def test_page_counted_from_the_end_minds_what_came_meanwhile(db, monkeypatch):
    factories.products.make(_quantity=10)
    last = list(Product.objects.order_by("pk"))[-2:]
    came = []

    def meanwhile(execute, sql, params, many, context):
        if " DESC" in sql and not came:
            came.append(True)
            factories.products.make()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        page = Product.objects.order_by("pk").page(5, 2)
    assert came
    assert page.rows == last


def queries(products, number=1):
    with CaptureQueriesContext(connection) as asked:
        products.page(number, 5)
    return [query["sql"] for query in asked]


@pytest.mark.parametrize("number", [1, 3])
def test_query_count_does_not_grow_with_the_catalogue(db, few_are_many, number):
    def lists():
        products = Product.objects.order_by("name", "pk").for_sale()
        yield from (products, products.at_least("1"), products.stocked())
        yield products.containing(["coffee", "sku"])

    factories.products.make(_quantity=40)
    before = [len(queries(products, number)) for products in lists()]
    factories.products.make(_quantity=40)
    assert [len(queries(products, number)) for products in lists()] == before


def test_sale_has_no_search_made_again_and_an_edit_does(db, alice, few_are_many):
    product = factories.products.make(name="Kenya", _quantity=10)[0]
    search = Product.objects.order_by("pk").containing(["kenya"])
    queries(search)
    factories.place(alice, {product: 97})
    searches = [sql for sql in queries(search) if "LIKE" in sql or "MATCH" in sql]
    assert all(re.search(r'"id" IN \([0-9]', sql) for sql in searches)  # of these rows alone
    assert search.page(1, 5).rows[0].quantity_in_stock == 3
    product.revise(name="Peru")
    assert product not in search.page(1, 100).rows


@pytest.mark.parametrize("ordering", ORDERINGS[1:-1])
@pytest.mark.parametrize("reverse", [False, True])
def test_order_is_that_of_an_index(db, ordering, reverse):
    products = Product.objects.for_sale().order_by(ordering, "pk")
    sql, params = (products.reverse() if reverse else products)[:5].query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Which a table of no rows would get as well.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_incremental_sort = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {sql}", params)
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        plan = str(cursor.fetchall())
    assert f"product_by_{ordering.strip('-')}" in plan
    assert "Sort" not in plan
    assert "B-TREE" not in plan


@pytest.mark.parametrize("many", [False, True])
def test_last_piece_sold_is_out_of_the_next_list_in_stock(db, alice, many, request):
    if many:
        request.getfixturevalue("few_are_many")
    product, *others = factories.products.make(_quantity=8)
    available = Product.objects.order_by("pk").stocked().containing(["coffee"])
    assert available.page(1, 100).rows == [product, *others]
    factories.place(alice, {product: 100})
    assert available.page(1, 100).rows == others
    assert Product.objects.order_by("pk").sold_out().page(1, 5).rows == [product]


@pytest.mark.parametrize("many", [False, True])
def test_product_that_leaves_the_list_meanwhile_is_not_shown(shelf, many, request, monkeypatch):
    if many:
        request.getfixturevalue("few_are_many")
    looked_up, found = [], pages.answer

    def change_then_answer(*args):
        numbers = found(*args)
        looked_up.append(Product.objects.filter(pk__in=numbers).update(is_active=False))
        return numbers

    monkeypatch.setattr(pages, "answer", change_then_answer)
    assert Product.objects.for_sale().at_least("9.05").order_by("name", "pk").page(1, 5).rows == []
    assert looked_up
