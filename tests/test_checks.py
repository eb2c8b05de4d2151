"""System checks find what is wrong with a deployment, and nothing where nothing is."""

import re
import secrets
import shutil
import subprocess

import environ
import pytest
from django.conf import settings
from django.core import checks
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from products.models import Product
from shopply import checks as shopply_checks
from shopply import database_status
from tests import factories
from tests.migrations import LAST
from tests.servers import database_url
from tests.test_settings import PRODUCTION, python

SOUND = PRODUCTION | {"SECRET_KEY": secrets.token_urlsafe(50), "NUM_PROXIES": "1"}
DEPLOY = ("manage.py", "check", "--deploy", "--database", "default")
STRICT = ("--fail-level", "WARNING")


def found():
    """`{id: message}` of what the checks of a deployment find."""
    messages = checks.run_checks(include_deployment_checks=True, databases=["default"])
    return {message.id: message for message in messages}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A copy of what git tracks, with its static files collected."""
    top = tmp_path_factory.mktemp("release")
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for path in subprocess.check_output(listing, cwd=settings.BASE_DIR, text=True).split():
        if (settings.BASE_DIR / path).exists():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(settings.BASE_DIR / path, top / path)
    outcome = python("manage.py", "collectstatic", "--noinput", cwd=top, **SOUND)
    assert outcome.returncode == 0, outcome.stderr
    return top


def test_sound_deployment_passes(release, transactional_db):
    outcome = python(*DEPLOY, *STRICT, cwd=release, DATABASE_URL=database_url(), **SOUND)
    assert outcome.returncode == 0, outcome.stderr
    infos = ["shopply.I005"] if connection.vendor == "sqlite" else []
    assert re.findall(r"\((shopply\.\w+)\)", outcome.stdout + outcome.stderr) == infos


def test_deployment_that_is_not_safe_fails(release, transactional_db):
    environment = SOUND | {"DATABASE_URL": database_url(), "SECRET_KEY": "short", "DEBUG": "true"}
    outcome = python(*DEPLOY, *STRICT, cwd=release, **environment)
    assert outcome.returncode == 1
    assert "security.W009" in outcome.stderr
    assert "security.W018" in outcome.stderr


def test_choices_that_may_be_meant_are_told_once_each_and_pass(release, transactional_db):
    choices = {
        "SECURE_HSTS_SECONDS": ("0", "shopply.I001"),
        "SECURE_SSL_REDIRECT": ("false", "shopply.I002"),
        "ALLOWED_HOSTS": ("*", "shopply.I003"),
        "NUM_PROXIES": ("0", "shopply.I004"),
    }
    environment = SOUND | {name: value for name, (value, _) in choices.items()}
    outcome = python(*DEPLOY, *STRICT, cwd=release, DATABASE_URL=database_url(), **environment)
    assert outcome.returncode == 0, outcome.stderr
    lines = (outcome.stdout + outcome.stderr).splitlines()
    for name, (_, expected) in choices.items():
        (line,) = [line for line in lines if name in line and "HINT" not in line]
        assert expected in line


def test_static_files_that_are_not_collected_are_an_error(db, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    assert "shopply.E002" not in found()
    backend = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": backend}}
    assert found()["shopply.E002"].level == checks.ERROR


def test_demo_accounts_are_an_error(demo_shop, settings):
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]
    assert found()["customers.E001"].level == checks.ERROR


def test_books_that_are_off_are_an_error(db):
    product = factories.products.make()
    assert "orders.E001" not in found()
    Product.objects.filter(pk=product.pk).update(quantity_in_stock=99)
    assert found()["orders.E001"].level == checks.ERROR


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
def test_counts_of_products_that_are_not_kept_are_an_error(db, damage):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps no counts")
    factories.products.make()
    assert "products.E001" not in found()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else tables with events wait for them
        cursor.execute(damage)
    assert found()["products.E001"].level == checks.ERROR


def test_missing_migrations_are_an_error(db):
    database_status.migrated.clear()
    MigrationRecorder(connection).record_unapplied("orders", LAST)
    error = found()["shopply.E004"]
    assert error.level == checks.ERROR
    assert "behind on migrations" in error.msg
    assert "`manage.py migrate`" in error.hint


def test_database_is_asked_only_where_it_is_named(db):
    Product.objects.filter(pk=factories.products.make().pk).update(quantity_in_stock=99)
    messages = checks.run_checks(include_deployment_checks=True)
    assert not {"shopply.E004", "orders.E001"} & {message.id for message in messages}


def test_cache_that_is_away_is_an_error(db, settings):
    settings.CACHES = {"default": environ.Env.cache_url_config("redis://127.0.0.1:1/0")}
    assert found()["customers.E002"].level == checks.ERROR


def test_clock_that_is_off_is_an_error(db, monkeypatch):
    assert "shopply.E005" not in found()
    monkeypatch.setattr(shopply_checks, "MAX_CLOCK_DIFFERENCE", -1)
    assert found()["shopply.E005"].level == checks.ERROR


def test_database_that_is_away_is_an_error_and_no_traceback():
    outcome = python(*DEPLOY, DATABASE_URL="postgres://shop@127.0.0.1:1/shop", **SOUND)
    assert outcome.returncode == 1
    assert "The database is out of reach. (connection failed: " in outcome.stderr
    assert "HINT: Start it, or correct DATABASE_URL." in outcome.stderr
    assert "Traceback" not in outcome.stderr
