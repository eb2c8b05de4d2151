"""The groups of staff and the picker of their permissions, in a browser."""

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from selenium.webdriver.support.ui import Select

from tests import factories
from tests.admin.test_groups import create_groups


@pytest.fixture
def clerk(transactional_db):
    create_groups()
    clerk = factories.customers.make(
        username="carla", is_staff=True, password=make_password(factories.PASSWORD)
    )
    clerk.groups.add(Group.objects.get(name="Clerks"))
    return clerk


def test_superuser_picks_permissions(clerk, admin_browser):
    group = Group.objects.get(name="Clerks")
    group.permissions.add(Permission.objects.get(codename="change_session"))
    admin_browser.open(f"auth/group/{group.pk}/change/")
    admin_browser.take_pictures("group")
    labels = {
        label.text: label.find_element("css selector", "input").is_selected()
        for label in admin_browser.find_all("#id_permissions label")
    }
    assert labels["Orders: see them, with items and events"]
    assert not labels["Products: add them"]
    assert labels["Sessions | session | Can change session (no page asks for it)"]
    box = Permission.objects.get(codename="add_product").pk
    admin_browser.find(f"#id_permissions [value='{box}']").click()
    admin_browser.press("[name=_save]")
    assert "successfully" in admin_browser.text
    assert group.permissions.filter(codename="add_product").exists()
    assert group.permissions.filter(codename="change_session").exists()


def test_superuser_puts_an_account_into_a_group(clerk, admin_browser):
    admin_browser.open(f"customers/customer/{clerk.pk}/change/")
    scroll = "document.querySelector('#id_groups').scrollIntoView()"
    admin_browser.driver.execute_script(scroll)
    admin_browser.take_pictures("account")
    managers = Group.objects.get(name="Managers")
    admin_browser.find(f"#id_groups [value='{managers.pk}']").click()
    admin_browser.press("[name=_save]")
    assert "successfully" in admin_browser.text
    assert {group.name for group in clerk.groups.all()} == {"Clerks", "Managers"}


def test_clerk_does_the_day(clerk, admin_browser, alice, product):
    order = factories.place(alice, {product: 2})
    admin_browser.log_in("carla")
    admin_browser.take_pictures("clerk")
    admin_browser.open("orders/order/")
    admin_browser.press("#result_list tbody th a")
    admin_browser.take_pictures("clerk-order")
    assert product.name in admin_browser.text
    admin_browser.press("button[formaction*='/move/confirm/']")
    order.refresh_from_db()
    assert (order.status, order.events.get().by) == ("confirmed", clerk)
    admin_browser.open(f"products/product/{product.pk}/change/")
    admin_browser.find("#id_adjustments-0-delta").send_keys("12")
    Select(admin_browser.find("#id_adjustments-0-reason")).select_by_value("delivery")
    admin_browser.take_pictures("clerk-product")
    admin_browser.press("[name=_save]")
    assert "successfully" in admin_browser.text
    assert product.adjustments.latest("pk").actor == clerk
    admin_browser.open(f"customers/customer/{alice.pk}/change/")
    assert "Kattesundet 4" in admin_browser.text
    assert not admin_browser.find_all("[name=_save]")
    admin_browser.open("products/product/add/")
    assert "does not have the permission" in admin_browser.text
    admin_browser.take_pictures("clerk-denied")
