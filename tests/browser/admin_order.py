"""What staff do with one order, in a browser."""

import pytest

from customers.models import Customer
from tests import factories

ADDRESS = {
    # As PostgreSQL sorts the keys.
    "city": "Hamburg",
    "name": "Lena Vogt",
    "state": "",
    "country": "Germany",
    "street_1": "Elbchaussee 112",
    "street_2": "2. Stock links",
    "postal_code": "22763",
    "contact_number": "+49 40 5550142",
}


@pytest.fixture
def orders(alice, bob, product, admin_browser):
    """Orders of alice, newest last, with one of bob between them."""
    grinder = factories.products.make(name="Hand Grinder, Steel Burrs", sku="GRI-1", price="89.00")
    placed = []
    for customer in (alice, alice, bob, alice):
        order = factories.place(
            customer, {product: 2, grinder: 1}, shipping_address=ADDRESS, note="Ring twice, please."
        )
        placed.append(order)
    return placed


@pytest.fixture
def root(admin_browser):
    return Customer.objects.get(username="root")


def test_pictures(admin_browser, orders, root):
    order = orders[-1]
    page = f"orders/order/{order.pk}"
    admin_browser.open(f"{page}/change/")
    admin_browser.take_pictures("order-placed")
    order.confirm(by=root, note="Paid by bank transfer.")
    order.correct_address(ADDRESS | {"street_1": "Elbchaussee 114"}, by=root, note="New number.")
    for name in ("ship", "cancel", "correct_address", "staff_note"):
        admin_browser.open(f"{page}/move/{name}/")
        admin_browser.take_pictures(f"order-{name}")
    order.ship(by=root, carrier="DHL", tracking_number="00340434161094042557")
    admin_browser.open(f"{page}/move/undo/")
    admin_browser.take_pictures("order-undo")
    order.return_items({order.item_list[0].product_id: 1}, by=root, note="Too coarse.")
    admin_browser.open(f"{page}/move/return/")
    admin_browser.take_pictures("order-return")
    admin_browser.open(f"{page}/change/")
    admin_browser.take_pictures("order-shipped")
