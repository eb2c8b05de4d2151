"""Two forms of one row, sent at the same moment."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.test import Client

from shopply import admin_conflicts
from tests import factories
from tests.forms import form_data

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def at_once(row, *calls):
    """Make these calls, all of which wait for the row first; return their results."""
    results = []

    def run(call):
        try:
            results.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    with transaction.atomic():
        type(row).objects.select_for_update(no_key=True).get(pk=row.pk)
        for thread in threads:
            thread.start()
        time.sleep(0.5)
    for thread in threads:
        thread.join()
    return results


def open_form(page, entry):
    """Return a function that sends the form at `page` with this entry."""
    browser = Client()
    browser.force_login(factories.customers.make(is_staff=True, is_superuser=True))
    form = form_data(browser.get(page)) | entry
    return lambda: browser.post(page, form).status_code


def rush(product, *entries):
    """Send forms of the product with these entries at once; return their sorted statuses."""
    page = f"/admin/products/product/{product.pk}/change/"
    return sorted(at_once(product, *(open_form(page, entry) for entry in entries)))


def test_one_of_two_simultaneous_changes_of_a_field_is_a_conflict(product):
    assert rush(product, {"price": "14.00"}, {"price": "15.00"}) == [302, 409]


def test_simultaneous_changes_of_two_fields_are_both_saved(product):
    assert rush(product, {"price": "14.00"}, {"name": "Moka"}) == [302, 302]
    product.refresh_from_db()
    assert (str(product.price), product.name) == ("14.00", "Moka")


def test_customer_changes_the_street_while_staff_save_the_city(alice):
    page = f"/admin/customers/customer/{alice.pk}/change/"
    save = open_form(page, {"city": "Ribe"})
    assert at_once(alice, save, lambda: alice.update_fields(street_1="Vej 1")) in (
        *([302, None], [None, 302]),
    )
    alice.refresh_from_db()
    assert (alice.city, alice.street_1) == ("Ribe", "Vej 1")


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
