"""Categories in the admin: the tree, its order, and what happens to products."""

import re

import pytest

from products.categories import Category
from products.models import Product
from tests import factories
from tests.forms import submit

PATH = "/admin/products/category/"


@pytest.fixture
def tree(db):
    """`tea` and `coffee`, in this order, and `espresso` below `coffee`, by slug."""
    tree = {}
    for slug, parent, position in (
        ("coffee", None, 2),
        ("espresso", "coffee", 1),
        ("tea", None, 1),
    ):
        tree[slug] = Category.objects.create(
            name=slug.title(), slug=slug, parent=tree.get(parent), position=position
        )
    return tree


def test_list_is_an_indented_tree(in_the_admin, tree):
    html = in_the_admin.get(PATH).content.decode()
    rows = re.findall(r"level-(\d)\">(\w+)<", html)
    assert rows == [("1", "Tea"), ("1", "Coffee"), ("2", "Espresso")]


def test_position_is_changed_in_the_form(in_the_admin, tree):
    category = next(iter(tree.values()))
    page = f"/admin/products/category/{category.pk}/change/"
    assert submit(in_the_admin, page, position="9").status_code == 302
    category.refresh_from_db()
    assert category.position == 9


def test_form_refuses_a_circle_and_never_changes_the_slug(in_the_admin, tree):
    page = f"{PATH}{tree['coffee'].pk}/change/"
    response = submit(in_the_admin, page, parent=[tree["espresso"].pk])
    assert "A category cannot be below itself." in response.content.decode()
    assert submit(in_the_admin, page, name=["Kaffee"], slug=["kaffee"]).status_code == 302
    coffee = Category.objects.get(pk=tree["coffee"].pk)
    assert (coffee.name, coffee.slug, coffee.revision) == ("Kaffee", "coffee", 2)


def test_deletion_says_what_happens_to_products(in_the_admin, tree):
    for _ in range(2):
        factories.products.make().categories.add(tree["tea"])
    page = f"{PATH}{tree['tea'].pk}/delete/"
    assert "Tea: taken off 2 products, which stay" in in_the_admin.get(page).content.decode()
    assert in_the_admin.post(page, {"post": "yes"}).status_code == 302
    products = Product.objects.all()
    assert [(item.category_slugs, item.revision) for item in products] == [([], 2), ([], 2)]


def test_category_with_others_below_it_is_not_deleted(in_the_admin, tree):
    page = f"{PATH}{tree['coffee'].pk}/delete/"
    assert "Coffee: Espresso is below it" in in_the_admin.get(page).content.decode()
    in_the_admin.post(page, {"post": "yes"})
    action = {"action": "delete_selected", "post": "yes"}
    in_the_admin.post(PATH, action | {"_selected_action": [tree["coffee"].pk]})
    assert Category.objects.count() == 3


def test_product_is_put_into_categories_in_its_form(in_the_admin, tree, product):
    page = f"/admin/products/product/{product.pk}/change/"
    assert "Coffee › Espresso" in in_the_admin.get(page).content.decode()
    chosen = [tree["tea"].pk, tree["espresso"].pk]
    assert submit(in_the_admin, page, categories=chosen).status_code == 302
    product = Product.objects.get()
    assert (product.category_slugs, product.revision) == (["espresso", "tea"], 2)


def test_new_product_is_put_into_categories(in_the_admin, tree):
    form = {"name": "Mocha", "price": "9.00", "quantity_in_stock": 3, "categories": tree["tea"].pk}
    assert in_the_admin.post("/admin/products/product/add/", form).status_code == 302
    assert Product.objects.get().category_slugs == ["tea"]


def test_product_list_is_filtered_by_what_is_in_a_category_and_below(in_the_admin, tree):
    factories.products.make(name="Ristretto").categories.add(tree["espresso"])
    factories.products.make(name="Sencha").categories.add(tree["tea"])
    html = in_the_admin.get("/admin/products/product/?category=coffee").content.decode()
    assert "Ristretto" in html
    assert "Sencha" not in html
