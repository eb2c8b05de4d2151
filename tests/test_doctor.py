"""The doctor finds what is wrong, and nothing where nothing is."""

import re

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from products.models import Product
from shopply import faults
from shopply.knobs import Env
from shopply.management.commands import doctor
from tests import factories
from tests.migrations import LAST
from tests.servers import database_url
from tests.test_settings import PRODUCTION, python

RANDOM = "0123456789abcdefghijklmnopqrstuvwxyz" * 2


@pytest.fixture
def examine(capsys):
    """`{line of a finding without its level: level}`."""

    def examine():
        try:
            call_command("doctor")
        except CommandError:
            failed = True
        else:
            failed = False
        lines = capsys.readouterr().out.splitlines()
        found = {line[9:]: line[:7] for line in lines if line[7:9] == "  "}
        assert failed == ("SERIOUS" in found.values())
        return found

    return examine


def level(found, words):
    levels = [found[line] for line in found if words in line]
    assert len(levels) <= 1
    return levels[0] if levels else None


def test_shop_in_debug_is_told_the_one_thing_that_keeps_it_from_production(db, examine, settings):
    settings.DEBUG = True
    found = examine()
    assert list(found.values()) == ["SERIOUS"]
    assert level(found, "DEBUG is true") == "SERIOUS"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SECRET_KEY", "short", "SERIOUS"),
        ("SECURE_SSL_REDIRECT", "false", "warning"),
        ("SECURE_HSTS_SECONDS", "0", "warning"),
        ("ALLOWED_HOSTS", "*", "warning"),
    ],
)
def test_variable_that_is_not_safe_is_named_once(transactional_db, name, value, expected):
    safe = PRODUCTION | {"SECRET_KEY": RANDOM, "DATABASE_URL": database_url(), "NUM_PROXIES": "1"}
    told = python("manage.py", "doctor", **safe | {name: value}).stdout
    (line,) = [line for line in told.splitlines() if name in line]
    assert re.match(rf"{expected}  {name} .+\. (Set|Leave) .+\.$", line)
    assert "(security." not in told


def test_shop_in_production_is_told_what_to_see_to(db, examine):
    found = examine()
    assert level(found, "NUM_PROXIES is 0") == "warning"
    expected = "warning" if connection.vendor == "sqlite" else None
    assert level(found, "The database is SQLite") == expected


def test_demo_accounts_are_serious(demo_shop, examine, settings):
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]
    assert level(examine(), "The demo account 'admin'") == "SERIOUS"


@pytest.mark.parametrize(
    ("serious", "found", "told"),
    [
        (0, 0, "No findings."),
        (0, 1, "1 finding, not serious."),
        (0, 2, "2 findings, not serious."),
        (1, 1, "The one finding is serious."),
        (1, 8, "1 of 8 findings is serious."),
        (3, 3, "3 of 3 findings are serious."),
    ],
)
def test_verdict_is_said_as_one_would(serious, found, told):
    assert doctor.verdict(serious, found) == told


def test_census_that_is_off_is_serious(db, examine):
    assert level(examine(), "The census") is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_census SET for_sale = for_sale + 1")
    assert level(examine(), "The census") == "SERIOUS"


def test_books_that_are_off_are_serious(db, examine):
    product = factories.products.make()
    assert level(examine(), "The stock of") is None
    Product.objects.filter(pk=product.pk).update(quantity_in_stock=99)
    assert level(examine(), "The stock of 1 product is not") == "SERIOUS"


def test_migrations_that_are_missing_are_serious(db, examine):
    faults.migrated.clear()
    MigrationRecorder(connection).record_unapplied("orders", LAST)
    assert level(examine(), "behind on migrations. Run `manage.py migrate`") == "SERIOUS"


def test_cache_that_does_not_serve_is_serious(db, examine, settings):
    url = "redis://127.0.0.1:1/0"
    settings.CACHE_URL, settings.CACHES = url, {"default": Env.cache_url_config(url)}
    assert level(examine(), "The cache at CACHE_URL is away") == "SERIOUS"


def test_clock_that_is_off_is_serious(db, examine, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("the suite does not run on PostgreSQL")
    assert level(examine(), "The clock") is None
    monkeypatch.setattr(doctor, "SECONDS_APART", -1)
    assert level(examine(), "The clock") == "SERIOUS"


def test_server_that_is_set_up_well_has_no_serious_finding(transactional_db):
    environment = PRODUCTION | {"SECRET_KEY": RANDOM}
    environment |= {"DATABASE_URL": database_url(), "NUM_PROXIES": "1"}
    outcome = python("manage.py", "doctor", **environment)
    collected = (settings.STATIC_ROOT / "staticfiles.json").exists()
    serious = [line for line in outcome.stdout.splitlines() if line.startswith("SERIOUS")]
    assert ["static files are not collected" in line for line in serious] == [True] * (
        not collected
    )
    assert outcome.returncode == (not collected)


def test_database_that_is_away_is_serious_and_no_traceback():
    away = PRODUCTION | {"DATABASE_URL": "postgres://shop@127.0.0.1:1/shop"}
    outcome = python("manage.py", "doctor", **away)
    assert outcome.returncode == 1
    assert "SERIOUS  The database is out of reach. (connection failed: " in outcome.stdout
    assert "Connection refused) Start it, or correct DATABASE_URL." in outcome.stdout
    assert "Traceback" not in outcome.stderr + outcome.stdout
