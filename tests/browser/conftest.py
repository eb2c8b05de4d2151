from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.utils import timezone

from orders.models import Order
from tests import factories
from tests.servers import Server


@pytest.fixture(autouse=True)
def quick_passwords():
    """Overrides the fixture with none: the server knows only the production hash."""


@pytest.fixture
def running_admin(transactional_db):
    """A server of its own for each test: it remembers the ids of content types."""
    server = Server(workers=1, DEBUG="true").start()  # which serves the static files itself
    yield server
    server.stop()


# The suite passes through this folder without Selenium, so it is imported here.


@pytest.fixture(scope="session")
def chromium():
    from tests.browser.chromium import start_chromium

    driver = start_chromium()
    yield driver
    driver.quit()


@pytest.fixture
def admin_browser(chromium, running_admin):
    """An AdminBrowser of a superuser called `root`."""
    from tests.browser.chromium import AdminBrowser

    factories.customers.make(
        username="root",
        is_staff=True,
        is_superuser=True,
        password=make_password(factories.PASSWORD),
    )
    browser = AdminBrowser(chromium, f"http://127.0.0.1:{running_admin.port}")
    browser.log_in("root")
    return browser


@pytest.fixture
def seeded_shop(transactional_db):
    """A shop with orders until today, of which those of the last week are still to do."""
    call_command("seed_shop", "--products", "60", "--customers", "20", "--orders", "4000")
    old = Order.objects.filter(created__lt=timezone.now() - timedelta(days=7))
    old.filter(status__in=["placed", "confirmed"]).update(status="delivered")
