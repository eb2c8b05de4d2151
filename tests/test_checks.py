"""System checks report what is wrong with a deployment, and pass a sound one."""

import re
import secrets
import shutil
import subprocess
from datetime import timedelta

import environ
import pytest
from django.conf import settings
from django.core import checks
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from products.models import Product
from shopply import checks as shopply_checks
from shopply import database_status
from tests import factories
from tests.migrations import LAST
from tests.servers import database_url
from tests.tasks import fail
from tests.test_settings import PRODUCTION, python

SOUND = PRODUCTION | {"SECRET_KEY": secrets.token_urlsafe(50), "NUM_PROXIES": "1"}
DEPLOY = ("manage.py", "check", "--deploy", "--database", "default")
STRICT = ("--fail-level", "WARNING")


def run_checks():
    """Run the deployment checks; return their messages by id."""
    # On a busy machine the check would give up, and its thread keep the connection of the test.
    with override_settings(DATABASE_PROBE_TIMEOUT=30):
        messages = checks.run_checks(include_deployment_checks=True, databases=["default"])
    return {message.id: message for message in messages}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A copy of the files that git tracks, with static files collected."""
    top = tmp_path_factory.mktemp("release")
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for path in subprocess.check_output(listing, cwd=settings.BASE_DIR, text=True).split():
        if (settings.BASE_DIR / path).exists():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(settings.BASE_DIR / path, top / path)
    result = python("manage.py", "collectstatic", "--noinput", cwd=top, **SOUND)
    assert result.returncode == 0, result.stderr
    return top


def test_sound_deployment_passes(release, transactional_db):
    result = python(*DEPLOY, *STRICT, cwd=release, DATABASE_URL=database_url(), **SOUND)
    assert result.returncode == 0, result.stderr
    infos = ["shopply.I005"] if connection.vendor == "sqlite" else []
    assert re.findall(r"\((shopply\.\w+)\)", result.stdout + result.stderr) == infos


def test_unsafe_deployment_fails(release, transactional_db):
    environment = SOUND | {"DATABASE_URL": database_url(), "SECRET_KEY": "short", "DEBUG": "true"}
    result = python(*DEPLOY, *STRICT, cwd=release, **environment)
    assert result.returncode == 1
    assert "security.W009" in result.stderr
    assert "security.W018" in result.stderr


def test_deliberate_choices_are_reported_once_and_pass(release, transactional_db):
    choices = {
        "SECURE_HSTS_SECONDS": ("0", "shopply.I001"),
        "SECURE_SSL_REDIRECT": ("false", "shopply.I002"),
        "ALLOWED_HOSTS": ("*", "shopply.I003"),
        "NUM_PROXIES": ("0", "shopply.I004"),
        "CORS_ALLOWED_ORIGIN_REGEXES": (".*", "shopply.I006"),
    }
    environment = SOUND | {name: value for name, (value, _) in choices.items()}
    environment["SERVER_URL"] = "https://shop.example"
    result = python(*DEPLOY, *STRICT, cwd=release, DATABASE_URL=database_url(), **environment)
    assert result.returncode == 0, result.stderr
    lines = (result.stdout + result.stderr).splitlines()
    for name, (_, expected) in choices.items():
        (line,) = [line for line in lines if name in line and "HINT" not in line]
        assert expected in line


def test_missing_static_files_are_an_error(db, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    assert "shopply.E002" not in run_checks()
    backend = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": backend}}
    assert run_checks()["shopply.E002"].level == checks.ERROR


def test_demo_accounts_are_an_error(demo_shop, settings):
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]
    assert run_checks()["customers.E001"].level == checks.ERROR


def test_mails_without_a_page_to_link_to_are_an_error(db, settings):
    assert "customers.E003" not in run_checks()
    settings.SERVER_URL = ""
    assert run_checks()["customers.E003"].level == checks.ERROR


def test_stock_ledger_that_does_not_add_up_is_an_error(db):
    product = factories.products.make()
    assert "orders.E001" not in run_checks()
    Product.objects.filter(pk=product.pk).update(quantity_in_stock=99)
    assert run_checks()["orders.E001"].level == checks.ERROR


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE products_counts SET retired = retired + 1",
        "UPDATE products_counts SET for_sale = for_sale - 1",
        "DELETE FROM products_counts",
        "ALTER TABLE products_product DISABLE TRIGGER products_updated",
        "DROP TRIGGER products_truncated ON products_product",
    ],
)
def test_unmaintained_product_counts_are_an_error(db, damage):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps no counts")
    factories.products.make()
    assert "products.E001" not in run_checks()
    with connection.cursor() as cursor:
        # PostgreSQL alters no table that has pending trigger events.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(damage)
    assert run_checks()["products.E001"].level == checks.ERROR


def test_missing_triggers_of_the_feed_are_an_error(db):
    assert "changes.E001" not in run_checks()
    on_table = " ON orders_order" if connection.vendor == "postgresql" else ""
    name = "changes_update" if connection.vendor == "postgresql" else "changes_order_moved"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{on_table}")
    assert run_checks()["changes.E001"].level == checks.ERROR


def test_missing_migrations_are_an_error(db):
    database_status.migrated.clear()
    MigrationRecorder(connection).record_unapplied("orders", LAST)
    error = run_checks()["shopply.E004"]
    assert error.level == checks.ERROR
    assert "behind on migrations" in error.msg
    assert "`manage.py migrate`" in error.hint


def test_database_is_checked_only_if_it_is_named(db):
    Product.objects.filter(pk=factories.products.make().pk).update(quantity_in_stock=99)
    messages = checks.run_checks(include_deployment_checks=True)
    assert not {"shopply.E004", "orders.E001"} & {message.id for message in messages}


def test_limited_staff_whom_the_api_does_not_limit_are_a_warning(db, settings):
    factories.customers.make(is_staff=True, is_superuser=True)
    factories.customers.make(is_staff=True, is_active=False)
    factories.customers.make()
    assert "customers.W001" not in run_checks()
    factories.customers.make(is_staff=True)
    warning = run_checks()["customers.W001"]
    assert warning.level == checks.WARNING
    assert warning.msg.endswith("superusers: 1.")
    settings.STAFF_API_PERMISSIONS = True
    assert "customers.W001" not in run_checks()


def test_unavailable_cache_is_an_error(db, settings):
    settings.CACHES = {"default": environ.Env.cache_url_config("redis://127.0.0.1:1/0")}
    assert run_checks()["customers.E002"].level == checks.ERROR


def test_task_that_nobody_runs_is_a_warning(db):
    fail.enqueue("nobody")
    assert "shopply.W001" not in run_checks()
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(minutes=7))
    warning = run_checks()["shopply.W001"]
    assert warning.level == checks.WARNING
    assert "waited for 7 minutes" in warning.msg


def test_wrong_clock_is_an_error(db, monkeypatch):
    assert "shopply.E005" not in run_checks()
    monkeypatch.setattr(shopply_checks, "MAX_CLOCK_DIFFERENCE", -1)
    assert run_checks()["shopply.E005"].level == checks.ERROR


def test_unavailable_database_is_an_error_without_a_traceback():
    result = python(*DEPLOY, DATABASE_URL="postgres://shop@127.0.0.1:1/shop", **SOUND)
    assert result.returncode == 1
    assert "The database is out of reach. (connection failed: " in result.stderr
    assert "HINT: Start it, or correct DATABASE_URL." in result.stderr
    assert "Traceback" not in result.stderr
