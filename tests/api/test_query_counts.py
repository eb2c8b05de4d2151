"""The number of queries of a list does not grow with its rows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products.categories import Category
from tests import factories


def add_rows(customer):
    """Add an order of three new products for this customer, and one for a new customer.

    The products are in two new categories, one below the other.
    """
    slug = f"c{Category.objects.count()}"
    above = Category.objects.create(name=slug, slug=slug)
    below = Category.objects.create(name=slug, slug=f"{slug}-below", parent=above)
    for owner in (customer, factories.customers.make()):
        products = factories.products.make(_quantity=3)
        for product in products:
            product.categories.add(above, below)
        factories.place(owner, dict.fromkeys(products, 1))


def count_queries(client, path):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


@pytest.mark.parametrize(
    "path",
    [
        "/api/customers/",
        "/api/customers/?search=customer",
        "/api/customers/me/export/",
        "/api/products/?items_per_page=100",
        "/api/products/?items_per_page=100&search=coffee&ordering=price&in_stock=true",
        "/api/products/?items_per_page=100&category=c0",
        "/api/categories/",
        "/api/orders/?items_per_page=100",
        "/api/orders/?items_per_page=100&customer=all",
        "/api/changes/?expand=true",
        "/admin/customers/customer/",
        "/admin/products/product/",
        "/admin/products/category/",
        "/admin/orders/order/",
        "/admin/customers/accesstoken/",
    ],
)
def test_list_costs_no_more_queries_for_ten_times_the_rows(path, as_clerk, clerk, client, api):
    if path.startswith("/admin/"):
        clerk.is_superuser = True
        clerk.save()
        client.force_login(clerk)
        as_clerk = client
    add_rows(clerk)
    count_queries(as_clerk, path)  # fills the caches of the process
    add_rows(clerk)  # invalidates the cached catalogue
    expected = count_queries(as_clerk, path)
    for _ in range(9):
        add_rows(clerk)
        api.as_user(factories.customers.make())
    # Fewer on a full page of the feed, which leaves the removal of old changes to the last one.
    assert count_queries(as_clerk, path) <= expected


def test_order_page_of_the_admin_costs_as_many_queries_for_many_items(in_the_admin, alice):
    counts = []
    for size in (1, 1, 30):
        products = factories.products.make(_quantity=size)
        order = factories.place(alice, dict.fromkeys(products, 1))
        counts.append(count_queries(in_the_admin, f"/admin/orders/order/{order.pk}/change/"))
    assert counts[1] == counts[2]
