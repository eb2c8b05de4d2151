"""The runbook has a section for each alert, names commands that exist, and its recipes work."""

import re

import yaml
from django.core.management import call_command
from django.db import connection

from products.models import Product
from tests import factories
from tests.deploy.test_files import read

RUNBOOK = read("docs/operations.md")


def test_every_alert_has_its_section():
    groups = yaml.safe_load(read("deploy/alerts.yml"))["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert alerts == set(re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE))


def test_sections_that_are_referred_to_exist():
    sections = set(re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE))
    assert set(re.findall(r"[Ss]ee\s+\*([^*]+)\*", RUNBOOK)) <= sections


def test_recipe_for_stock_makes_the_books_add_up(db):
    moka = factories.products.make(sku="MOK", quantity_in_stock=7)
    Product.objects.filter(pk=moka.pk).update(quantity_in_stock=9)
    (recipe,) = re.findall("UPDATE products_product .*;", RUNBOOK)
    with connection.cursor() as cursor:
        cursor.execute(recipe)
    call_command("verify_stock")
    Product.objects.get().adjust_stock(2, reason="stocktake", by=None)
    call_command("verify_stock")


def test_recipe_for_an_index_works_forwards_and_back(transactional_db):
    call_command("migrate", "orders", "0003_open_the_books", verbosity=0)
    before = indexes()
    call_command("migrate", "orders", "0004_order_by_status", verbosity=0)
    assert indexes().keys() - before.keys() == {"order_by_status"}
    call_command("migrate", verbosity=0)  # other apps too, which went back with it


def indexes():
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, "orders_order")
