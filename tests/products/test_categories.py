"""The tree of categories, and what products have of it."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from products.categories import MAX_CATEGORIES, MAX_PER_PRODUCT, Category
from products.models import Product
from tests import factories
from tests.api.test_staff_permissions import grant

PATH = "/api/categories/"


def make(slug, parent=None, **fields):
    return Category.objects.create(name=slug.title(), slug=slug, parent=parent, **fields)


@pytest.fixture
def chain(db):
    """Four categories, each below the one before it."""
    categories = [make("a")]
    for slug in "bcd":
        categories.append(make(slug, categories[-1]))
    return categories


@pytest.fixture
def coffee(db):
    """`coffee` with `espresso` below it, and two products: one in both, one in `espresso`."""
    coffee = make("coffee")
    espresso = make("espresso", coffee)
    for chosen in ([coffee, espresso], [espresso]):
        factories.products.make().categories.set(chosen)
    return coffee


def errors(response):
    assert response.status_code == 400, response.json()
    return [(error.get("pointer"), error["code"]) for error in response.json()["errors"]]


# --- The tree -------------------------------------------------------------------------------------


def test_tree_is_nested_and_ordered_by_position_then_name(api, db):
    last, first = make("b", position=2), make("z", position=1)
    make("y", first), make("x", first)
    tree = api.get(PATH).json()
    assert [category["slug"] for category in tree] == [first.slug, last.slug]
    assert [category["slug"] for category in tree[0]["children"]] == ["x", "y"]


def test_products_for_sale_in_a_category_and_below_it_count_once(api, coffee):
    factories.products.make(is_active=False).categories.add(coffee)
    (top,) = api.get(PATH).json()
    assert (top["product_count"], top["children"][0]["product_count"]) == (2, 2)


def test_inactive_category_hides_what_is_below_it_from_all_but_staff(api, as_clerk, coffee):
    coffee.update_fields(is_active=False)
    assert api.get(PATH).json() == []
    assert api.get(f"{PATH}espresso/").status_code == 404
    assert api.get("/api/products/?category=espresso").json()["count"] == 0
    assert {tuple(row["categories"]) for row in api.get("/api/products/").json()["results"]} == {()}
    assert api.get(f"/api/products/{Product.objects.first().pk}/").json()["categories"] == []
    assert as_clerk.get(PATH).json()[0]["children"][0]["slug"] == "espresso"
    assert as_clerk.get("/api/products/?category=coffee").json()["count"] == 2


def test_tree_is_not_sent_again_until_it_changes(api, coffee):
    etag = api.get(PATH)["ETag"]
    assert api.get(PATH, headers={"If-None-Match": etag}).status_code == 304
    Product.objects.last().update_fields(is_active=False)
    assert api.get(PATH, headers={"If-None-Match": etag}).status_code == 200


def test_tree_and_list_cost_no_more_queries_for_more_categories(api, coffee):
    paths = (PATH, "/api/products/", "/api/products/?category=coffee")

    def count(path):
        with CaptureQueriesContext(connection) as queries:
            assert api.get(path).status_code == 200
        return len(queries)

    before = [count(path) for path in paths]
    for number in range(20):
        factories.products.make().categories.set([make(f"c{number}", coffee), coffee])
    assert [count(path) for path in paths] == before


def test_order_of_the_tree_is_the_same_in_the_database(chain):
    make("a-2", chain[0], position=1)
    make("b-0", chain[1], position=1), make("0", position=1), make("z")
    tree = [category.slug for category in Category.objects.all().as_tree()]
    assert [category.slug for category in Category.objects.in_tree_order()] == tree
    assert tree == ["a", "b", "c", "d", "b-0", "a-2", "z", "0"]


# --- Writing --------------------------------------------------------------------------------------


def test_staff_add_move_and_hide_a_category(as_clerk, coffee):
    body = {"name": "Decaf", "slug": "decaf", "parent": "coffee", "position": 3}
    response = as_clerk.post(PATH, body)
    assert response.status_code == 201
    assert as_clerk.get(response["Location"]).json() == response.json()
    moved = as_clerk.patch(f"{PATH}decaf/", {"parent": None, "is_active": False}).json()
    assert (moved["parent"], moved["is_active"], moved["position"]) == (None, False, 3)


@pytest.mark.parametrize("slug", ["Tea", "tea_1", "tea\n", "-tea", "té", ""])
def test_slug_has_small_letters_digits_and_dashes(as_clerk, slug):
    response = as_clerk.post(PATH, {"name": "Tea", "slug": slug})
    assert [pointer for pointer, _ in errors(response)] == ["/slug"]


def test_slug_is_unique_and_never_changes(as_clerk, coffee):
    assert errors(as_clerk.post(PATH, {"name": "C", "slug": "coffee"})) == [("/slug", "unique")]
    response = as_clerk.patch(f"{PATH}coffee/", {"slug": "kaffee"})
    assert errors(response) == [("/slug", "immutable")]


def test_category_cannot_be_below_itself(as_clerk, chain):
    for parent in ("a", "b", "d"):
        assert errors(as_clerk.patch(f"{PATH}a/", {"parent": parent})) == [("/parent", "circle")]


def test_tree_has_four_levels(as_clerk, chain):
    body = {"name": "E", "slug": "e", "parent": "d"}
    assert errors(as_clerk.post(PATH, body)) == [("/parent", "too_many_levels")]
    make("top")
    response = as_clerk.patch(f"{PATH}a/", {"parent": "top"})
    assert errors(response) == [("/parent", "too_many_levels")]


@pytest.mark.parametrize("parent", ["none", "", 1, ["a"]])
def test_parent_is_the_slug_of_a_category(as_clerk, parent, chain):
    ((pointer, _),) = errors(as_clerk.post(PATH, {"name": "E", "slug": "e", "parent": parent}))
    assert pointer == "/parent"


def test_database_refuses_circles_and_a_fifth_level(chain):
    for write in (
        lambda: Category.objects.filter(slug="a").update(parent=chain[3]),
        lambda: Category.objects.filter(slug="a").update(parent=chain[0]),
        lambda: make("e", chain[3]),
    ):
        with pytest.raises(IntegrityError, match="category_tree"), transaction.atomic():
            write()


def test_shop_has_at_most_a_thousand_categories(as_clerk):
    Category.objects.bulk_create(
        Category(name="C", slug=f"c{number}") for number in range(MAX_CATEGORIES)
    )
    response = as_clerk.post(PATH, {"name": "One more", "slug": "more"})
    assert errors(response) == [("", "too_many_categories")]
    with pytest.raises(IntegrityError, match="category_limit"), transaction.atomic():
        make("more")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="reports no rows that it reads")
def test_check_of_the_tree_reads_few_rows_though_statistics_are_of_an_empty_table(db):
    read_rows = """
        SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
        WHERE relid = 'products_category'::regclass
    """
    for number in range(100):
        make(f"c{number}")
    Category.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE products_category")
        top = make("top")
        for number in range(100):
            make(f"d{number}", top)
        cursor.execute(read_rows)
        (before,) = cursor.fetchone()
        make("more", top)
        cursor.execute(read_rows)
        (after,) = cursor.fetchone()
    assert after - before < 10 * 100


def test_edit_of_an_outdated_category_is_refused(as_clerk, coffee):
    etag = as_clerk.get(f"{PATH}coffee/")["ETag"]
    new = as_clerk.patch(f"{PATH}coffee/", {"name": "Kaffee"}, headers={"If-Match": etag})
    assert new.status_code == 200
    for method in (as_clerk.patch, as_clerk.delete):
        response = method(f"{PATH}coffee/", headers={"If-Match": etag})
        assert response.status_code == 412
    again = as_clerk.patch(f"{PATH}coffee/", {"position": 1}, headers={"If-Match": new["ETag"]})
    assert again.status_code == 200


def test_category_with_others_below_it_is_not_deleted(as_clerk, coffee):
    response = as_clerk.delete(f"{PATH}coffee/")
    assert (response.status_code, response.json()["code"]) == (409, "category_in_use")


def test_deleting_takes_a_category_off_its_products_and_says_of_how_many(as_clerk, coffee):
    etags = [as_clerk.get(f"/api/products/{pk}/")["ETag"] for pk in product_ids()]
    response = as_clerk.delete(f"{PATH}espresso/")
    assert (response.status_code, response.json()) == (200, {"products": 2})
    products = Product.objects.all()
    assert [product.category_slugs for product in products] == [["coffee"], []]
    assert [product.revision for product in products] == [2, 2]
    assert not {*etags} & {as_clerk.get(f"/api/products/{pk}/")["ETag"] for pk in product_ids()}


def product_ids():
    return Product.objects.values_list("pk", flat=True)


# --- Products -------------------------------------------------------------------------------------


def test_product_is_created_in_categories_and_moved_to_others(as_clerk, coffee):
    body = {"name": "Huila", "price": "9.00", "categories": ["espresso", "coffee", "espresso"]}
    created = as_clerk.post("/api/products/", body)
    assert created.json()["categories"] == ["coffee", "espresso"]
    changed = as_clerk.patch(created["Location"], {"categories": ["coffee"]})
    assert changed.json()["categories"] == ["coffee"]
    again = as_clerk.get(created["Location"])
    assert (again.json(), again["ETag"]) == (changed.json(), changed["ETag"])


def test_new_categories_change_revision_and_time(as_clerk, coffee):
    product = Product.objects.first()
    path = f"/api/products/{product.pk}/"
    etag = as_clerk.get(path)["ETag"]
    before = product.modified
    for status in (200, 412):
        body, headers = {"categories": []}, {"If-Match": etag}
        assert as_clerk.patch(path, body, headers=headers).status_code == status
    product.refresh_from_db()
    assert (product.revision, product.modified > before) == (2, True)


def test_categories_are_set_only_by_staff_who_see_all(as_clerk, clerk, coffee, settings):
    settings.STAFF_API_PERMISSIONS = True
    grant(clerk, "products.change_product")
    path = f"/api/products/{Product.objects.first().pk}/"
    assert as_clerk.patch(path, {"categories": []}).status_code == 403
    grant(clerk, "products.change_product", "products.view_category")
    assert as_clerk.patch(path, {"categories": []}).status_code == 200


def test_put_without_categories_keeps_them(as_clerk, coffee):
    path = f"/api/products/{Product.objects.first().pk}/"
    response = as_clerk.put(path, {"name": "Huila", "price": "9.00"})
    assert response.json()["categories"] == ["coffee", "espresso"]


def test_repeated_creation_answers_with_the_first_categories(as_clerk, coffee):
    body = {"name": "Huila", "price": "9.00", "categories": ["coffee"]}
    headers = {"Idempotency-Key": "2b1f6c0e"}
    first, second = (as_clerk.post("/api/products/", body, headers=headers) for _ in range(2))
    assert second["Idempotent-Replayed"] == "true"
    assert first.json() == second.json()


@pytest.mark.parametrize(
    ("slugs", "expected"),
    [
        (["coffee", "tea"], ("/categories/1", "does_not_exist")),
        ([1], ("/categories/0", "invalid")),
        ("coffee", ("/categories", "not_a_list")),
        (None, ("/categories", "null")),
        (["coffee"] * (MAX_PER_PRODUCT + 1), ("/categories", "max_length")),
    ],
)
def test_invalid_categories_of_a_product_are_named(as_clerk, coffee, slugs, expected):
    body = {"name": "Huila", "price": "9.00", "categories": slugs}
    assert errors(as_clerk.post("/api/products/", body)) == [expected]


def test_several_categories_find_products_of_any(api, coffee):
    factories.products.make().categories.add(make("tea"))
    factories.products.make()
    for query in ("coffee,tea", "coffee&category=tea"):
        assert api.get(f"/api/products/?category={query}").json()["count"] == 3
    assert api.get("/api/products/?category=unknown").json()["count"] == 0
    assert api.get("/api/products/?category=Coffee").status_code == 400
