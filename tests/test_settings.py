"""What a server says that is started with too little or with everything."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

PRODUCTION = {"DEBUG": "false", "SECRET_KEY": "k" * 60, "ALLOWED_HOSTS": "shop.example"}
KNOBS = {"DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}


def python(*arguments, **environment):
    inherited = {name: value for name, value in os.environ.items() if name not in KNOBS}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"SECRET_KEY"}, "SECRET_KEY is set"),
        ({"ALLOWED_HOSTS"}, "ALLOWED_HOSTS is set"),
        ({"SECRET_KEY", "ALLOWED_HOSTS"}, "SECRET_KEY and ALLOWED_HOSTS are set"),
    ],
)
@pytest.mark.parametrize(
    "start",
    [
        ("manage.py", "runserver", "--noreload"),
        ("manage.py", "check"),
        ("-m", "gunicorn", "shopply.wsgi", "--bind", "127.0.0.1:0"),
    ],
    ids=["runserver", "check", "gunicorn"],
)
def test_production_refuses_to_start_in_one_sentence(start, missing, told):
    known = {name: value for name, value in PRODUCTION.items() if name not in missing}
    outcome = python(*start, **known)
    assert outcome.returncode != 0
    sentence = f"shopply does not start with DEBUG=false until {told} in the environment."
    assert sentence in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_empty_secret_counts_as_missing():
    assert (
        "SECRET_KEY is set"
        in python("manage.py", "check", **PRODUCTION | {"SECRET_KEY": ""}).stderr
    )


@pytest.mark.parametrize("currency", ["", "EURO", "eur", "€"])
def test_currency_that_is_none_is_refused(currency):
    outcome = python("manage.py", "check", SHOP_CURRENCY=currency)
    assert outcome.returncode != 0
    assert outcome.stderr == (
        "shopply does not start until SHOP_CURRENCY is a code of ISO 4217, such as EUR.\n"
    )


@pytest.mark.parametrize("rate", ["", "10", "0/m", "ten/m", "10/w", "10/0m", "-1/m", "١٠/m"])
def test_rate_that_is_none_is_refused(rate):
    outcome = python("manage.py", "check", ORDER_RATE=rate)
    assert outcome.returncode != 0
    assert outcome.stderr == (
        "shopply does not start until ORDER_RATE is a number in a span of time, such as 60/m.\n"
    )


def test_rates_are_so_many_in_so_many_seconds():
    rates = {"ORDER_RATE": "7/s", "ACCOUNT_RATE": "5/2d", "CUSTOMER_RATE": "9/h"}
    assert setting("RATES['order']", **rates) == "(7, 1)"
    assert setting("RATES['account']", **rates) == "(5, 172800)"
    assert setting("RATES['customer']", **rates) == "(9, 3600)"
    assert setting("RATES['log_in_account']", **rates) == "(10, 900)"


def test_production_logs_its_failures_with_the_request_id():
    code = (
        "import django; django.setup(); from django.test import Client; "
        "Client(headers={'X-Request-ID': 'order-17'}).get('/api/products/', secure=True, "
        "HTTP_HOST='shop.example')"
    )
    away = PRODUCTION | {"DATABASE_URL": "postgres://127.0.0.1:1/nothing"}
    outcome = python("-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", **away)
    assert "Connection refused" in outcome.stderr
    assert "order-17" in outcome.stderr


def setting(name, **environment):
    code = f"from django.conf import settings; print(settings.{name})"
    return python(
        "-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", **environment
    ).stdout.strip()


def test_with_nothing_set_the_shop_is_in_debug_on_sqlite():
    assert setting("DEBUG") == "True"
    assert setting("DATABASES['default']['ENGINE']").endswith("sqlite3")


def test_production_is_https_only_unless_told():
    assert setting("SECURE_SSL_REDIRECT", **PRODUCTION) == "True"
    assert setting("SESSION_COOKIE_SECURE", **PRODUCTION) == "True"
    assert setting("CSRF_COOKIE_SECURE", **PRODUCTION) == "True"
    assert setting("SECURE_HSTS_SECONDS", **PRODUCTION) == str(365 * 24 * 3600)
    plain = PRODUCTION | {"SECURE_SSL_REDIRECT": "false"}
    assert setting("SECURE_SSL_REDIRECT", **plain) == "False"


def test_production_tells_browsers_to_keep_to_https():
    code = (
        "import django; django.setup(); from django.test import Client; "
        "ask = lambda secure: Client().get('/api/', secure=secure, HTTP_HOST='shop.example'); "
        "print(ask(True)['Strict-Transport-Security'], ask(False)['Location'])"
    )
    outcome = python("-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", **PRODUCTION)
    policy, _, address = outcome.stdout.splitlines()[-1].rpartition(" ")
    assert policy == "max-age=31536000; includeSubDomains; preload"
    assert address == "https://shop.example/api/"


def test_database_url_names_postgresql():
    url = "postgres://clerk:s%40cret@db.example:5433/shop"
    assert setting("DATABASES['default']['HOST']", DATABASE_URL=url) == "db.example"
    assert setting("DATABASES['default']['PASSWORD']", DATABASE_URL=url) == "s@cret"


def test_forwarded_proto_is_believed_only_when_told():
    assert setting("SECURE_PROXY_SSL_HEADER", **PRODUCTION) == "None"
    told = PRODUCTION | {"TRUST_X_FORWARDED_PROTO": "true"}
    assert "HTTP_X_FORWARDED_PROTO" in setting("SECURE_PROXY_SSL_HEADER", **told)
