"""Two forms of one row, sent at the same moment."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.test import Client

from products.models import Product
from shopply import admin_conflicts
from tests import factories
from tests.forms import form_data

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def rush(product, *entries):
    """Send forms of the product with these entries at once; return their sorted statuses.

    They all wait for the row before any of them is saved.
    """
    page, statuses, threads = f"/admin/products/product/{product.pk}/change/", [], []

    def send(browser, form):
        try:
            statuses.append(browser.post(page, form).status_code)
        finally:
            connection.close()

    for entry in entries:
        browser = Client()
        browser.force_login(factories.customers.make(is_staff=True, is_superuser=True))
        form = form_data(browser.get(page)) | entry
        threads.append(threading.Thread(target=send, args=(browser, form)))
    with transaction.atomic():
        Product.objects.select_for_update(no_key=True).get()
        for thread in threads:
            thread.start()
        time.sleep(0.5)
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_one_of_two_simultaneous_changes_of_a_field_is_a_conflict(product):
    assert rush(product, {"price": "14.00"}, {"price": "15.00"}) == [302, 409]


def test_simultaneous_changes_of_two_fields_are_both_saved(product):
    assert rush(product, {"price": "14.00"}, {"name": "Moka"}) == [302, 302]
    product.refresh_from_db()
    assert (str(product.price), product.name) == ("14.00", "Moka")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks the whole database")
def test_without_the_lock_an_edit_is_lost(product, monkeypatch):
    """The negative control: the first test can detect a lost edit."""
    monkeypatch.delattr(admin_conflicts.ConflictAdminMixin, "get_object")
    assert rush(product, {"price": "14.00"}, {"price": "15.00"}) == [302, 302]


def test_without_the_comparison_an_edit_is_lost(product, monkeypatch):
    """The negative control on both databases."""

    def compare(form):
        form.untouched = frozenset(form.current) - set(form.changed_data)
        return []

    monkeypatch.setattr(admin_conflicts.ConflictFormMixin, "compare", compare)
    assert rush(product, {"price": "14.00"}, {"price": "15.00"}) == [302, 302]
