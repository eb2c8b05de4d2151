"""Pages and counts of the product list, in every order and with every filter."""

import random

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from products import pagination
from products.models import Product
from tests import factories

LIST = "/api/products/"
INDEXED = ("name", "-name", "price", "-price", "created", "-created")
ORDERINGS = ("id", *INDEXED, "modified", "-modified", "price,-name")


@pytest.fixture
def shelf(db):
    chance = random.Random(1)
    return Product.objects.bulk_create(
        Product(
            name=chance.choice(("Kenya", "Peru", "kenia")),
            description=chance.choice(("Round.", "Sweet.")),
            sku=f"S-{number}",
            price=chance.choice(("9.00", "9.10", "12.50")),
            quantity_in_stock=chance.choice((0, 3)),
            is_active=chance.random() < 0.8,
        )
        for number in range(60)
    )


def walk(client, query):
    """Return the ids on all pages, and the set of the counts they report."""
    ids, counts, path = [], set(), f"{LIST}?{query}"
    while path:
        data = client.get(path).json()
        ids += [product["id"] for product in data["results"]]
        counts.add(data["count"])
        path = data["next"]
    return ids, counts


FILTERS = {
    "": Q(),
    "in_stock=true": Q(quantity_in_stock__gt=0),
    "in_stock=false": Q(quantity_in_stock=0),
    "min_price=9.10": Q(price__gte="9.10"),
    "min_price=9&max_price=9.10&in_stock=true": Q(price__lte="9.10", quantity_in_stock__gt=0),
    "search=ken": Q(name__icontains="ken"),
    "search=e+kenya&max_price=12": Q(name__icontains="kenya", price__lte=12),
    "search=nothing": Q(name="nothing"),
}


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_pages_add_up_to_the_ordered_list(shelf, api, as_clerk, ordering, subtests):
    for query, condition in FILTERS.items():
        params = f"{query}&items_per_page=7" + ("" if ordering == "id" else f"&ordering={ordering}")
        everything = Product.objects.filter(condition).order_by(*ordering.split(","), "pk")
        for client, products in ((as_clerk, everything), (api, everything.filter(is_active=True))):
            with subtests.test(query=query, everything=client is as_clerk):
                expected = list(products.values_list("pk", flat=True))
                assert walk(client, params) == (expected, {len(expected)})


def test_count_of_a_filtered_list_stops_at_the_limit(api, shelf, monkeypatch):
    monkeypatch.setattr(pagination, "COUNT_LIMIT", 10)
    expected = Product.objects.for_sale().filter(price__gte="9.10").order_by("pk")
    ids, path = [], f"{LIST}?min_price=9.10"
    while path:
        data = api.get(path).json()
        assert data["count"] == 10
        ids += [product["id"] for product in data["results"]]
        path = data["next"]
    assert ids == list(expected.values_list("pk", flat=True))
    missing_page = len(ids) // 5 + 2
    for number in (missing_page, 10**17):
        assert api.get(f"{LIST}?min_price=9.10&page={number}").status_code == 404
    assert api.get(LIST).json()["count"] == Product.objects.for_sale().count()


@pytest.mark.parametrize("query", ["", "?ordering=name", "?min_price=1", "?search=coffee+sku"])
def test_query_count_does_not_grow_with_the_catalogue(api, query):
    def count():
        with CaptureQueriesContext(connection) as queries:
            api.get(LIST + query)
        return len(queries)

    factories.products.make(_quantity=40)
    before = count()
    factories.products.make(_quantity=40)
    assert count() == before


@pytest.mark.parametrize("ordering", INDEXED)
def test_ordering_uses_an_index(db, ordering):
    products = Product.objects.for_sale().order_by(ordering, "pk")
    sql, params = products[:5].query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # On a small table the planner prefers these to an index.
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


def test_no_index_has_a_column_that_each_sale_changes(db):
    """Otherwise PostgreSQL writes to all of them, which costs half of a sale."""
    with connection.cursor() as cursor:
        table = Product._meta.db_table
        constraints = connection.introspection.get_constraints(cursor, table).values()
    columns = {column for item in constraints if item["index"] for column in item["columns"]}
    assert "price" in columns
    assert not columns & {"quantity_in_stock", "modified"}


@pytest.mark.parametrize("query", ["", "&search=a", "&min_price=1"])
def test_page_with_a_huge_number_is_not_found(as_clerk, product, query):
    for path in (LIST, "/api/customers/"):
        query = query if path == LIST else ""
        response = as_clerk.get(f"{path}?page={'9' * 18}&items_per_page=100{query}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
