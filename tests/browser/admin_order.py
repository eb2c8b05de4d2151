"""What staff do with one order, in a browser."""

import pytest
from django.db import connection
from selenium.webdriver.common.keys import Keys

from customers.models import Customer
from orders.models import Order
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
LABEL = "\n".join(
    (
        *("Lena Vogt", "Elbchaussee 112", "2. Stock links", "22763 Hamburg", "Germany"),
        "Phone +49 40 5550142",
    )
)


@pytest.fixture
def orders(alice, bob, product, admin_browser):
    """Four placed orders, of which the third is bob's."""
    grinder = factories.products.make(name="Hand Grinder, Steel Burrs", sku="GRI-1", price="89.00")
    return [
        factories.place(
            customer, {product: 2, grinder: 1}, shipping_address=ADDRESS, note="Ring twice, please."
        )
        for customer in (alice, alice, bob, alice)
    ]


@pytest.fixture
def root(admin_browser):
    return Customer.objects.get(username="root")


def click(browser, text):
    """Click the link or button with this text."""
    xpath = f"//*[self::a or self::button][normalize-space()='{text}']"
    browser.press(browser.driver.find_element("xpath", f"//main{xpath}"))


def heading(browser):
    return browser.find("h1").text


def get_status(order):
    return Order.objects.get(pk=order.pk).status


def test_day_of_a_clerk(admin_browser, orders, root):
    first, second, _, last = orders
    browser = admin_browser
    browser.open(f"orders/order/?customer={first.customer_id}&status__exact=placed")
    click(browser, str(last.pk))
    assert LABEL in browser.text
    click(browser, "Confirm, and next order")
    assert f"Order {last.pk} is confirmed now." in browser.text
    assert heading(browser) == f"Order {second.pk}"  # not bob's, which lies between them
    click(browser, "Confirm order")
    assert [row.text for row in browser.find_all("#result_list .field-id")] == [str(first.pk)]

    browser.open(f"orders/order/?customer={first.customer_id}&status__exact=confirmed")
    click(browser, str(last.pk))
    click(browser, "Correct the address")
    street = browser.find("#id_street_1")
    street.clear()
    street.send_keys("Elbchaussee 114")
    click(browser, "Save address")
    assert "Elbchaussee 114" in browser.find(".field-address").text
    assert "Before: Lena Vogt, Elbchaussee 112" in browser.text

    click(browser, "Ship order")
    browser.find("#id_carrier").send_keys("DHL")
    browser.find("#id_tracking_number").send_keys("00340434161094042557")
    click(browser, "Ship, and next order")
    assert heading(browser) == f"Order {second.pk}"
    click(browser, "Undo")
    assert heading(browser) == f"Undo the last step of order {last.pk}"
    click(browser, "Undo the last step")
    assert heading(browser) == f"Order {last.pk}"
    assert get_status(last) == "confirmed"

    click(browser, "Cancel order")
    assert "2 pieces of Coffee" in browser.text
    click(browser, "Cancel order")
    assert "This field is required." in browser.text
    browser.find("#id_note").send_keys("The grinder is broken.")
    click(browser, "Cancel order")
    assert f"Order {last.pk} is cancelled now." in browser.text
    assert [row.text for row in browser.find_all("#result_list .field-id")] == [str(second.pk)]

    second.ship(by=root)
    browser.open(f"orders/order/{second.pk}/change/")
    click(browser, "Book a return")
    browser.find("[id^=id_quantity]").send_keys("1")
    click(browser, "Put back into stock")
    assert [cell.text for cell in browser.find_all(".field-returned")] == ["1", "0"]


@pytest.mark.parametrize(
    ("status", "name", "fields"),
    [
        ("placed", "confirm", ["note"]),
        ("placed", "cancel", ["note"]),
        ("placed", "correct_address", ["street_1", "note"]),
        ("confirmed", "ship", ["carrier", "tracking_number", "note"]),
        ("shipped", "deliver", ["note"]),
        ("shipped", "undo", ["note"]),
        ("shipped", "return", ["quantity_", "note"]),
        ("placed", "staff_note", ["staff-note"]),
    ],
)
def test_enter_in_a_field_does_nothing(admin_browser, orders, root, status, name, fields):
    order = orders[0]
    if status != "placed":
        order.confirm(by=root)
    if status == "shipped":
        order.ship(by=root)
    modified = Order.objects.get(pk=order.pk).modified
    admin_browser.open(f"orders/order/{order.pk}/move/{name}/")
    address = admin_browser.driver.current_url
    for field in fields:
        admin_browser.find(f"[id^=id_{field}]").send_keys("1", Keys.ENTER)
    assert admin_browser.driver.current_url == address
    assert not admin_browser.find_all(".messagelist, .errornote")
    assert Order.objects.get(pk=order.pk).modified == modified


def test_enter_in_the_staff_note_of_the_page_is_a_new_line(admin_browser, orders):
    admin_browser.open(f"orders/order/{orders[0].pk}/change/")
    admin_browser.find("#id_staff-note").send_keys("Calls often.", Keys.ENTER, "Be kind.")
    assert get_status(orders[0]) == "placed"
    click(admin_browser, "Save staff note")
    assert Order.objects.get(pk=orders[0].pk).staff_note == "Calls often.\nBe kind."


def test_tabs_follow_the_page_and_every_input_has_a_label(admin_browser, orders, root):
    """Down the page, and from left to right."""
    orders[1].confirm(by=root)
    for order, name in (
        (orders[0], "change"),
        (orders[0], "move/cancel"),
        (orders[0], "move/correct_address"),
        (orders[1], "move/ship"),
    ):
        admin_browser.open(f"orders/order/{order.pk}/{name}/")
        unlabelled = admin_browser.driver.execute_script(
            "return [...document.querySelectorAll('main :is(input:not([type=hidden]), textarea)')]"
            ".filter(input => !input.labels.length && !input.ariaLabel).map(input => input.id)"
        )
        assert unlabelled == []
        places = admin_browser.driver.execute_script(
            "return [...document.querySelectorAll('#content-main :is(a, button, input, textarea)')]"
            ".map(element => element.getBoundingClientRect()).filter(place => place.height)"
            ".map(place => [place.top, place.left, place.bottom])"
        )
        for (top, left, _), (next_top, next_left, next_bottom) in zip(
            places, places[1:], strict=False
        ):
            assert next_bottom > top, name
            assert next_top > top - 4, name
            assert next_top > top + 4 or next_left > left, name


@pytest.mark.skipif(connection.vendor == "postgresql", reason="one database is enough")
def test_pictures(admin_browser, orders, root):
    order = orders[-1]
    page = f"orders/order/{order.pk}"
    admin_browser.open(f"{page}/change/")
    admin_browser.take_pictures("order-placed")
    order.confirm(by=root, note="Paid by bank transfer.")
    admin_browser.open(f"{page}/move/correct_address/")
    order.correct_address(ADDRESS | {"street_1": "Elbchaussee 114"}, by=root, note="New number.")
    click(admin_browser, "Save address")
    admin_browser.take_pictures("order-conflict")
    for name in ("ship", "cancel", "correct_address", "staff_note"):
        admin_browser.open(f"{page}/move/{name}/")
        admin_browser.take_pictures(f"order-{name}")
    click(admin_browser, "Save staff note")
    order.ship(by=root, carrier="DHL", tracking_number="00340434161094042557")
    admin_browser.open(f"{page}/move/undo/")
    admin_browser.take_pictures("order-undo")
    order.return_items({order.item_list[0].product_id: 1}, by=root, note="Too coarse.")
    admin_browser.open(f"{page}/move/return/")
    click(admin_browser, "Put back into stock")
    admin_browser.take_pictures("order-return")
    admin_browser.open(f"{page}/change/")
    admin_browser.take_pictures("order-shipped")
