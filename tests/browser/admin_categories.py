"""Categories: their list, their form, and the form of a product."""

from django.core.management import call_command

from products.categories import Category
from tests.browser.admin_forms import UNLABELLED


def test_pages_of_categories_are_labelled_and_narrow_enough(admin_browser):
    call_command("loaddata", "products", verbosity=0)
    category = Category.objects.get(slug="paper-filters")
    pages = {
        "list": "products/category/",
        "add": "products/category/add/",
        "form": f"products/category/{category.pk}/change/",
        "delete": f"products/category/{category.pk}/delete/",
        "product": "products/product/7/change/",
        "filter": "products/product/?category=coffee",
    }
    for name, page in pages.items():
        admin_browser.open(page)
        assert admin_browser.driver.execute_script(UNLABELLED) == [], name
        admin_browser.take_pictures(f"categories-{name}")
