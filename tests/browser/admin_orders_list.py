"""The list of orders: bulk transitions with their progress, packing, labels, tab order."""

import time
from contextlib import contextmanager, suppress

import pytest
from django.db import transaction
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from customers.models import Customer
from orders.models import BulkTransition, Order
from tests import factories

LISTS = ("orders/order/", "products/product/", "customers/customer/", "products/stockadjustment/")
# Shown inputs without a name for screen readers.
UNLABELLED = """
    return [...document.querySelectorAll("#content :is(input, select, textarea, button)")]
        .filter((input) => input.type !== "hidden" && input.checkVisibility())
        .filter((input) => !(
            input.ariaLabel || input.labels?.length || input.textContent.trim()
            || (input.type === "submit" && input.value)
        ))
        .map((input) => input.outerHTML)
"""
# Whether what Tab comes to later is never drawn higher up, but for parts of the same line.
DRAWN_IN_TAB_ORDER = """
    const controls = "#changelist :is(a, input, select, button, summary)";
    const tops = [...document.querySelectorAll(controls)]
        .filter((element) => element.type !== "hidden" && element.checkVisibility())
        .map((element) => element.getBoundingClientRect().top);
    return tops.every((top, index) => index === 0 || top > tops[index - 1] - 30);
"""


@pytest.fixture
def orders(alice, bob, product):
    product.adjust_stock(1_000, reason="delivery", by=None)
    tea = factories.products.make(
        name="Darjeeling, first flush, in a tin", sku="DARJEELING-2026-TIN", quantity_in_stock=1_000
    )
    with transaction.atomic():
        orders = [factories.place(alice, {product: 1}) for _ in range(600)]
        orders += [
            factories.place(bob, {product: 2, tea: 1}, note="Ring twice.", reference="PO-77"),
            factories.place(bob, {tea: 3}),
        ]
    Order.objects.filter(pk=orders[-1].pk).update(shipping_address=None)
    return orders


def choose(browser, action, everything=False):
    """Select the orders of the page, or all of the list, and run the action."""
    browser.find("#action-toggle").click()
    if everything:
        browser.find(".actions .question a").click()
    Select(browser.find("select[name=action]")).select_by_value(action)
    browser.press(".actions button")


def wait_until(condition):
    """Wait for what follows a click, which may return before the next page is there."""
    deadline = time.monotonic() + 30
    while True:
        with suppress(WebDriverException):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@contextmanager
def scripts_disabled(browser):
    command = "Emulation.setScriptExecutionDisabled"
    browser.driver.execute_cdp_cmd(command, {"value": True})
    try:
        yield
    finally:
        browser.driver.execute_cdp_cmd(command, {"value": False})


def see(browser, text):
    wait_until(lambda: text in browser.text)


def count(status):
    return Order.objects.filter(status=status).count()


def test_lists_have_labels_and_their_tab_order_is_that_on_screen(admin_browser, orders):
    for path in LISTS:
        admin_browser.open(path)
        assert admin_browser.driver.execute_script(UNLABELLED) == []
        for width in (390, 800, 1366, 1920):
            admin_browser.driver.set_window_size(width, 900)
            assert admin_browser.driver.execute_script(DRAWN_IN_TAB_ORDER), (path, width)


def test_list_is_whole_on_a_narrow_screen(admin_browser, orders):
    admin_browser.open("orders/order/")
    admin_browser.take_pictures("orders")
    admin_browser.driver.set_window_size(390, 844)
    cells = admin_browser.find_all("#result_list tbody tr:first-child :is(td, th)")
    assert len(cells) == 7
    names = ("#searchbar", "#changelist-filter", "#action-toggle")
    controls = [admin_browser.find(name) for name in names]
    for element in (*controls, *cells):
        assert element.is_displayed()
        assert 0 <= element.rect["x"] <= element.rect["x"] + element.rect["width"] <= 390
    admin_browser.find("#action-toggle").click()
    boxes = admin_browser.find_all("#result_list .action-select")
    assert all(box.is_selected() for box in boxes)
    Customer.objects.filter(username="bob").update(username="bob-" + 100 * "b")
    admin_browser.open("orders/order/")
    results = admin_browser.find(".results")  # which would be scrolled sideways
    assert results.get_property("scrollWidth") == results.get_property("clientWidth")
    admin_browser.driver.set_window_size(1366, 900)


def test_other_lists_are_whole_on_a_narrow_screen(admin_browser, orders, product):
    product.update_fields(
        name="Grand Moka, " + 60 * "very " + "dark", sku="GRAND-MOKA-500-" + 20 * "X"
    )
    product.adjust_stock(-1, reason="damaged", note="Fell off the shelf. " * 9, by=None)
    Customer.objects.filter(username="bob").update(email=f"{60 * 'b'}@example.com")
    for path in (*LISTS[1:], "customers/staff/", f"products/product/{product.pk}/stock/"):
        admin_browser.open(path)
        admin_browser.take_pictures(path.replace("/", "-"))
        admin_browser.driver.set_window_size(390, 844)
        results = admin_browser.find(".results")  # which would be scrolled sideways
        assert results.get_property("scrollWidth") == results.get_property("clientWidth"), path
        for cell in admin_browser.find_all(".results tbody tr:nth-child(-n + 3) :is(td, th)"):
            rect = cell.rect
            assert 0 <= rect["x"] <= rect["x"] + rect["width"] <= 390, (path, cell.text)
        admin_browser.driver.set_window_size(1366, 900)


def test_shipping_asks_for_the_parcel_of_each_order(admin_browser, clerk, orders):
    for order in orders[-2:]:
        order.confirm(by=clerk)
    admin_browser.open("orders/order/?q=bob")
    choose(admin_browser, "ship")
    see(admin_browser, "Ship 2 orders?")
    number = admin_browser.find(f"[name=tracking_number_{orders[-1].pk}]")
    number.send_keys("1Z999", Keys.ENTER)  # as a scanner ends a code
    assert "Ship 2 orders?" in admin_browser.text
    assert admin_browser.driver.execute_script(UNLABELLED) == []
    admin_browser.take_pictures("bulk-ship")
    admin_browser.find(".submit-row button").click()
    see(admin_browser, "2 orders shipped.")
    assert Order.objects.get(pk=orders[-1].pk).tracking_number == "1Z999"


def test_bulk_transition_goes_on_after_it_was_left_half_way(admin_browser, orders):
    admin_browser.open("orders/order/?q=alice")
    choose(admin_browser, "confirm", everything=True)
    assert "Confirm 600 orders?" in admin_browser.text
    admin_browser.take_pictures("bulk-confirm")
    note = admin_browser.find("#id_note")
    note.send_keys("Thank you.", Keys.ENTER)
    assert "Confirm 600 orders?" in admin_browser.text
    with scripts_disabled(admin_browser):  # which would go on while this test is looking
        admin_browser.press(".submit-row button")
        admin_browser.press("#bulk-continue")
    done = count("confirmed")
    assert 0 < done < 600
    admin_browser.open("orders/order/?q=alice")
    assert "Unfinished: Confirm 600 orders" in admin_browser.text
    admin_browser.take_pictures("bulk-unfinished")
    assert count("confirmed") == done
    admin_browser.find(".messagelist a").click()
    see(admin_browser, "600 orders confirmed.")
    assert admin_browser.driver.current_url.endswith("/orders/order/?q=alice")
    assert (count("confirmed"), count("placed")) == (600, 2)


def test_cancelling_asks_for_a_reason(admin_browser, clerk, orders):
    admin_browser.open("orders/order/?q=bob")
    choose(admin_browser, "cancel")
    see(admin_browser, "Cancel 2 orders?")
    orders[-1].confirm(by=clerk)
    orders[-1].ship(by=clerk)
    admin_browser.take_pictures("bulk-cancel")
    admin_browser.find(".submit-row button").click()
    see(admin_browser, "This field is required.")
    assert not BulkTransition.objects.get().started
    admin_browser.find("#id_note").send_keys("Sold out.")
    admin_browser.find(".submit-row button").click()
    see(admin_browser, "1 order cancelled.")
    admin_browser.take_pictures("bulk-refused")
    admin_browser.find(".messagelist .warning a").click()
    see(admin_browser, "could not be changed")
    rows = admin_browser.find_all("#result_list tbody tr")
    assert [row.find_element("css selector", "th").text for row in rows] == [str(orders[-1].pk)]
    admin_browser.take_pictures("bulk-refused-list")


def test_progress_page(admin_browser, orders):
    """As it is without JavaScript, or while the shop does not respond."""
    with scripts_disabled(admin_browser):
        admin_browser.open("orders/order/?q=alice")
        admin_browser.find("#result_list .action-select").click()
        Select(admin_browser.find("select[name=action]")).select_by_value("confirm")
        admin_browser.press(".actions button")
        assert "Confirm 1 order?" in admin_browser.text
        admin_browser.press(".submit-row button")
        assert "0 of 1 order" in admin_browser.text
        admin_browser.take_pictures("bulk-progress")
        admin_browser.press("#bulk-continue")
        assert "1 order confirmed." in admin_browser.text


def test_pick_list_and_packing_slips(admin_browser, orders):
    for action in ("pick_list", "packing_slips"):
        admin_browser.open("orders/order/?q=bob")
        choose(admin_browser, action)
        wait_until(lambda: admin_browser.find("#print").is_displayed())
        admin_browser.take_pictures(action)
        admin_browser.driver.refresh()
        assert "Darjeeling" in admin_browser.text
        admin_browser.find("nav a").click()
        wait_until(lambda: admin_browser.driver.current_url.endswith("/orders/order/?q=bob"))
