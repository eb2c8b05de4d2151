from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models import F

from orders.models import Order


@pytest.fixture
def seeded_shop(transactional_db):
    """A shop with orders until today."""
    call_command("seed_shop", "--products", "60", "--customers", "20", "--orders", "4000")
    Order.objects.update(created=F("created") + timedelta(days=5))


def test_empty_shop(admin_browser):
    admin_browser.open("")
    admin_browser.take_pictures("dashboard-empty")


def test_pages(seeded_shop, admin_browser):
    admin_browser.open("")
    admin_browser.take_pictures("dashboard")
