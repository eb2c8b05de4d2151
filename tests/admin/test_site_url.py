"""*View site* leads to SHOP_URL."""

import pytest


@pytest.mark.parametrize("page", ["", "products/product/"])
def test_view_site_leads_to_the_shop(page, in_the_admin, settings):
    settings.SHOP_URL = "https://shop.example/start?from=admin&to=shop"
    html = in_the_admin.get(f"/admin/{page}").content.decode()
    assert '<a href="https://shop.example/start?from=admin&amp;to=shop">View site</a>' in html


def test_without_a_shop_url_there_is_no_such_link(in_the_admin):
    assert "View site" not in in_the_admin.get("/admin/").content.decode()
