"""What a server says that is started with too little or with everything."""

import ast
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

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


@pytest.mark.parametrize("rate", ["10", "0/m", "ten/m", "10/w", "10/0m", "-1/m", "١٠/m"])
def test_rate_that_is_none_is_refused(rate):
    outcome = python("manage.py", "check", ORDER_RATE=rate)
    assert outcome.returncode != 0
    assert outcome.stderr == (
        "shopply does not start until ORDER_RATE is a number in a span of time, such as 60/m.\n"
    )


def test_debug_limits_log_ins_and_only_the_requests_it_is_told_to():
    code = "from shopply.settings import RATES; print({n for n, rate in RATES.items() if rate})"
    outcome = python("-c", code, DEBUG="true", ORDER_RATE="7/s")
    assert ast.literal_eval(outcome.stdout) == {"log_in_account", "log_in_address", "order"}


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
    assert policy == "max-age=31536000; includeSubDomains"
    assert address == "https://shop.example/api/"


def test_redirect_to_https_keeps_the_method_and_so_the_body():
    code = (
        "import django; django.setup(); from django.test import Client; "
        "ask = Client().generic; print(*("
        "ask(method, path, HTTP_HOST='shop.example').status_code "
        "for path in ('/api/orders', '/admin/') "
        "for method in ('GET', 'HEAD', 'POST', 'PATCH', 'DELETE')))"
    )
    outcome = python("-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", **PRODUCTION)
    assert outcome.stdout.splitlines()[-1] == " ".join(["301 301 308 308 308"] * 2)


def test_database_url_names_postgresql():
    url = "postgres://clerk:s%40cret@db.example:5433/shop"
    assert setting("DATABASES['default']['HOST']", DATABASE_URL=url) == "db.example"
    assert setting("DATABASES['default']['PASSWORD']", DATABASE_URL=url) == "s@cret"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CONN_MAX_AGE", "abc", "a whole number from 0 to 2000000"),
        ("CONN_MAX_AGE", "", "a whole number from 0 to 2000000"),
        ("LOCK_TIMEOUT", "5s", "a whole number from 0 to 2000000"),
        ("STATEMENT_TIMEOUT", "9999999999", "a whole number from 0 to 2000000"),
        ("TOKEN_TTL", "-1", "a whole number from 0 to 1000000"),
        ("NUM_PROXIES", "one", "a whole number from 0 to 100"),
        ("SECURE_HSTS_SECONDS", "1.5", "a whole number from 0 to 315360000"),
        ("DEBUG", "maybe", "true or false"),
        ("SECURE_SSL_REDIRECT", "", "true or false"),
        ("DATABASE_URL", "oracle://shop:hush@db/shop", "postgres://user:password@host:5432/name"),
        ("DATABASE_URL", "postgres://shop:hush@db:x/shop", "postgres://user:password@host"),
        ("DATABASE_URL", "hush", "postgres://user:password@host:5432/name"),
        ("CACHE_URL", "nonsense://hush", "redis://host:6379/0"),
        ("DATABASE_URL", "postgres://hush@db/", "postgres://user:password@host:5432/name"),
        ("DATABASE_URL", "postgres://db/shop?hush=1", "without options that libpq does not know"),
        ("SENTRY_DSN", "hush", "https://key@host/project"),
        ("SENTRY_DSN", "https://hush@db:x/1", "https://key@host/project"),
        ("SENTRY_RELEASE", "hush/1", "one word"),
        ("SENTRY_ENVIRONMENT", "the hush", "one word"),
        ("ALLOWED_HOSTS", "https://hush.example", "host names with commas between them"),
        ("CSRF_TRUSTED_ORIGINS", "hush.example", "origins with commas between them"),
        ("METRICS_TOKEN", "a hush", "one word of ASCII"),
        ("METRICS_TOKEN", "hushé", "one word of ASCII"),
        ("WEB_CONCURRENCY", "hush", "a whole number from 1 to 1000"),
        ("WEB_CONCURRENCY", "0", "a whole number from 1 to 1000"),
    ],
)
def test_value_that_cannot_be_meant_is_a_sentence(name, value, told):
    outcome = python("manage.py", "check", **{"DATABASE_URL": "postgres://db/shop", name: value})
    assert outcome.returncode == 3
    assert outcome.stderr.startswith(f"shopply does not start until {name} is {told}")
    assert len(outcome.stderr.splitlines()) == 1
    assert "hush" not in outcome.stderr


@pytest.mark.parametrize("name", ["CONN_MAX_AGE", "LOCK_TIMEOUT", "STATEMENT_TIMEOUT"])
def test_value_for_postgresql_is_looked_at_on_sqlite_too(name):
    outcome = python("manage.py", "check", DATABASE_URL="sqlite:///db.sqlite3", **{name: "abc"})
    assert outcome.returncode == 3
    assert outcome.stderr.startswith(f"shopply does not start until {name} is a whole number")


def test_blank_is_no_secret_and_no_host():
    blank = PRODUCTION | {"SECRET_KEY": "  ", "ALLOWED_HOSTS": " , "}
    assert "SECRET_KEY and ALLOWED_HOSTS are set" in python("manage.py", "check", **blank).stderr


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        *(("PORT", port, "1 to 65535") for port in ("http", "0", "65536", "-1")),
        *(("WEB_CONCURRENCY", number, "1 to 1000") for number in ("0", "1001")),
    ],
)
def test_port_or_number_of_workers_that_is_none_is_a_sentence(name, value, bounds):
    outcome = python(
        *("-m", "gunicorn", "--config", "python:shopply.gunicorn", "shopply.wsgi"),
        **{name: value},
    )
    assert outcome.returncode != 0
    assert f"until {name} is a whole number from {bounds}." in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_workers_are_as_many_as_told():
    code = "from shopply import gunicorn; print(gunicorn.workers)"
    assert python("-c", code, WEB_CONCURRENCY="3").stdout == "3\n"


def test_options_of_the_url_join_those_of_the_shop():
    url = "postgres://db.example/shop?sslmode=require&connect_timeout=9"
    options = setting("DATABASES['default']['OPTIONS']", DATABASE_URL=url)
    assert "'sslmode': 'require'" in options
    assert "'connect_timeout': 9" in options
    assert "lock_timeout=5s" in options
    assert "jit=off" in options
    assert "random_page_cost=1.1" in options


BEANSTALK = {
    "RDS_HOSTNAME": "db.example",
    "RDS_PORT": "5433",
    "RDS_DB_NAME": "ebdb",
    "RDS_USERNAME": "clerk",
    "RDS_PASSWORD": "s@c/r:e%t+# ?",
}


def test_database_of_beanstalk_is_used_unless_a_url_is_given():
    database = "DATABASES['default']"
    for key, name in (("HOST", "HOSTNAME"), ("PORT", "PORT"), ("NAME", "DB_NAME")):
        assert setting(f"{database}['{key}']", **BEANSTALK) == BEANSTALK[f"RDS_{name}"]
    assert setting(f"{database}['PASSWORD']", **BEANSTALK) == BEANSTALK["RDS_PASSWORD"]
    both = BEANSTALK | {"DATABASE_URL": "postgres://other.example/shop"}
    assert setting(f"{database}['HOST']", **both) == "other.example"


def test_preload_is_asked_for():
    assert setting("SECURE_HSTS_PRELOAD", **PRODUCTION) == "False"
    assert setting("SECURE_HSTS_PRELOAD", **PRODUCTION, SECURE_HSTS_PRELOAD="yes") == "True"


def test_statements_are_limited_in_requests_and_not_in_commands():
    if connection.vendor != "postgresql":
        pytest.skip("the suite does not run on PostgreSQL")
    ask = "from django.db import connection as c; k = c.cursor(); k.execute('SHOW {}'); "
    ask += "print(k.fetchone()[0])"
    environment = {"DATABASE_URL": os.environ["DATABASE_URL"], "STATEMENT_TIMEOUT": "7"}

    def shown(name, start):
        environment["DJANGO_SETTINGS_MODULE"] = "shopply.settings"
        return python("-c", start + ask.format(name), **environment).stdout.strip()

    served, command = "import shopply.wsgi; ", "import django; django.setup(); "
    assert (shown("statement_timeout", served), shown("lock_timeout", served)) == ("7s", "5s")
    assert shown("idle_in_transaction_session_timeout", served) == "7s"
    assert (shown("statement_timeout", command), shown("lock_timeout", command)) == ("0", "5s")
    assert shown("idle_in_transaction_session_timeout", command) == "0"


def test_forwarded_proto_is_believed_only_when_told():
    assert setting("SECURE_PROXY_SSL_HEADER", **PRODUCTION) == "None"
    told = PRODUCTION | {"TRUST_X_FORWARDED_PROTO": "true"}
    assert "HTTP_X_FORWARDED_PROTO" in setting("SECURE_PROXY_SSL_HEADER", **told)
