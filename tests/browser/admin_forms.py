"""Forms of products and accounts, in two tabs where it matters."""

import pytest
from django.contrib.auth.hashers import make_password
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from customers.models import Customer
from products.models import Product
from tests import factories

# Inputs that can be seen, or filled by hand, and have no name for a screen reader.
UNLABELLED = """
return [...document.querySelectorAll("input, select, textarea")].filter(input =>
    input.type !== "hidden" && input.type !== "submit" && !input.closest(".empty-form")
    && input.checkVisibility()
    && !(input.labels.length && [...input.labels].some(label => label.innerText.trim()
        || label.querySelector("img[alt]")))
    && !input.getAttribute("aria-label") && !input.getAttribute("aria-labelledby")
).map(input => input.outerHTML)
"""


def enter(browser, **entries):
    for name, text in entries.items():
        element = browser.find(f"[name={name}]")
        element.clear()
        element.send_keys(text)


def save(browser):
    browser.press("[name=_save]")


@pytest.fixture
def product(product):
    Product.objects.filter(pk=product.pk).update(name="Moka", price="10.00")
    product.refresh_from_db()
    return product


@pytest.fixture
def in_two_tabs(admin_browser, product):
    """The product's form in an old tab, which shows; in a new one it becomes 15.00, and retired."""
    driver, page = admin_browser.driver, f"products/product/{product.pk}/change/"
    admin_browser.open(page)
    old_tab = driver.current_window_handle
    driver.switch_to.new_window("tab")
    admin_browser.open(page)
    enter(admin_browser, price="15.00")
    admin_browser.find("[name=is_active]").click()
    save(admin_browser)
    assert "was changed successfully" in admin_browser.text
    driver.close()
    driver.switch_to.window(old_tab)
    return admin_browser


def get_row(product):
    product.refresh_from_db()
    return product.description, str(product.price), product.is_active


def test_stale_tab_saves_only_what_was_changed_in_it(in_two_tabs, product):
    enter(in_two_tabs, description="Freshly roasted.")
    save(in_two_tabs)
    assert "was changed successfully" in in_two_tabs.text
    assert get_row(product) == ("Freshly roasted.", "15.00", False)
    in_two_tabs.open(f"products/product/{product.pk}/history/")
    assert "Changed Price (10.00 → 15.00) and For sale (yes → no)." in in_two_tabs.text
    assert "Changed Description (empty → Freshly roasted.)." in in_two_tabs.text
    in_two_tabs.take_pictures("history")


def test_conflict_is_shown_and_can_be_overruled(in_two_tabs, product):
    enter(in_two_tabs, description="Freshly roasted.\nIn Aarhus.", price="12,00")
    save(in_two_tabs)
    cells = [cell.text for cell in in_two_tabs.find_all(".conflicts :is(th, td)")]
    assert cells[-4:] == ["Price", "10.00", "15.00", "12,00"]
    assert get_row(product) == ("", "15.00", True) or get_row(product) == ("", "15.00", False)
    in_two_tabs.take_pictures("conflict")
    save(in_two_tabs)
    assert "was changed successfully" in in_two_tabs.text
    assert get_row(product) == ("Freshly roasted.\r\nIn Aarhus.", "12.00", False)


@pytest.mark.parametrize(
    ("entry", "price"),
    [("12,50", "12.50"), ("1.234,50", None), ("1,234.50", None), ("1 234", None)],
)
def test_amount_is_what_was_typed_or_refused(admin_browser, product, entry, price):
    admin_browser.open(f"products/product/{product.pk}/change/")
    enter(admin_browser, price=entry)
    save(admin_browser)
    refused = "Enter an amount such as 12.50" in admin_browser.text
    assert (refused, get_row(product)[1]) == (price is None, price or "10.00")


def test_refused_booking_stands_beside_its_field(admin_browser, product):
    admin_browser.open(f"products/product/{product.pk}/change/")
    enter(admin_browser, name="Moka Express")
    admin_browser.find("[name=adjustments-0-delta]").send_keys("-101")
    Select(admin_browser.find("[name=adjustments-0-reason]")).select_by_value("damaged")
    save(admin_browser)
    field = admin_browser.find(".field-delta")
    assert "There are only 100 in stock." in field.text
    assert field.find_element(By.TAG_NAME, "input").get_attribute("value") == "-101"
    assert Product.objects.get().name == "Moka"
    admin_browser.driver.execute_script("arguments[0].scrollIntoView()", field)
    admin_browser.take_pictures("refused-booking")


def test_page_of_a_row_with_long_texts_fits(admin_browser, alice):
    """Conflicts of an address and of a note of several lines."""
    page = f"customers/customer/{alice.pk}/change/"
    admin_browser.open(page)
    Customer.objects.filter(pk=alice.pk).update(
        street_1="Internationales Handelszentrum, Friedrichstraße 95, Aufgang B",
        staff_note="Pays by invoice.\nRings twice.\n" + "https://shop.example/" + "a" * 60,
        city="Ribe",
    )
    enter(admin_browser, street_1="Friedrichstraße 96", staff_note="Pays by card.", city="Ribe")
    save(admin_browser)
    assert len(admin_browser.find_all(".conflicts tbody tr")) == 2
    admin_browser.take_pictures("conflict-long")


def test_pages(admin_browser, alice, product):
    factories.place(alice, {product: 2})
    clerk = factories.customers.make(
        username="clerk", is_staff=True, password=make_password(factories.PASSWORD)
    )
    pages = {
        "product": f"products/product/{product.pk}/change/",
        "product-add": "products/product/add/",
        "products": "products/product/",
        "customer": f"customers/customer/{alice.pk}/change/",
        "customer-add": "customers/customer/add/",
        "customers": "customers/customer/",
        "password": f"customers/customer/{alice.pk}/password/",
        "staff": "customers/staff/",
        "staff-add": "customers/staff/add/",
        "staff-account": f"customers/customer/{clerk.pk}/change/",
        "token-add": "customers/accesstoken/add/",
        "group-add": "auth/group/add/",
        "own-password": "password_change/",
    }
    for name, page in pages.items():
        admin_browser.open(page)
        assert admin_browser.driver.execute_script(UNLABELLED) == [], name
        admin_browser.take_pictures(name)
    admin_browser.driver.delete_all_cookies()
    admin_browser.open("")
    assert admin_browser.driver.execute_script(UNLABELLED) == []
    admin_browser.take_pictures("log-in")
