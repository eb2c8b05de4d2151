"""What a server says that is started with too little or with everything."""

import ast
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

SECRET = "0123456789" * 6
PRODUCTION = {"DEBUG": "false", "SECRET_KEY": SECRET, "ALLOWED_HOSTS": "shop.example"}
REFUSAL = "shopply does not start with DEBUG=false unless SECRET_KEY and ALLOWED_HOSTS are set."
KNOWN = {"DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}


def python(*arguments, cwd=settings.BASE_DIR, **environment):
    """Run these; without a DATABASE_URL of their own, on a database that leaves no file behind."""
    inherited = {name: value for name, value in os.environ.items() if name not in KNOWN}
    inherited["DATABASE_URL"] = "sqlite://:memory:"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("start", "missing"),
    [
        (("manage.py", "check"), {"SECRET_KEY"}),
        (("manage.py", "check"), {"ALLOWED_HOSTS"}),
        (("manage.py", "runserver", "--noreload"), {"SECRET_KEY", "ALLOWED_HOSTS"}),
        (("-m", "shopply.server"), {"SECRET_KEY", "ALLOWED_HOSTS"}),
    ],
)
def test_production_refuses_to_start_in_one_sentence(start, missing):
    known = {name: value for name, value in PRODUCTION.items() if name not in missing}
    outcome = python(*start, **known)
    assert outcome.returncode != 0
    assert REFUSAL in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(
    "blank", [{"SECRET_KEY": ""}, {"SECRET_KEY": " "}, {"ALLOWED_HOSTS": " , "}]
)
def test_blank_is_no_secret_and_no_host(blank):
    assert python("manage.py", "check", **PRODUCTION | blank).stderr == f"{REFUSAL}\n"


@pytest.mark.parametrize("secret", ["x", SECRET[:49], "abcd" * 15])
def test_secret_that_can_be_guessed_is_refused_in_one_sentence(secret):
    outcome = python("manage.py", "check", **PRODUCTION | {"SECRET_KEY": secret})
    assert outcome.returncode != 0
    assert outcome.stderr.startswith("shopply does not start with a SECRET_KEY shorter than 50")
    assert outcome.stderr.count("\n") == 1


def test_secret_is_taken_as_it_is():
    assert setting("SECRET_KEY", **PRODUCTION | {"SECRET_KEY": "$HOME" * 12}) == "$HOME" * 12


def test_debug_limits_log_ins_and_only_the_requests_it_is_told_to():
    code = "from shopply.settings import RATES; print({n for n, rate in RATES.items() if rate})"
    outcome = python("-c", code, DEBUG="true", ORDER_RATE="7/s")
    assert ast.literal_eval(outcome.stdout) == {
        *("log_in_account", "log_in_everywhere", "log_in_address", "order")
    }


def test_rates_are_so_many_in_so_many_seconds():
    rates = {"ORDER_RATE": "7/s", "ACCOUNT_RATE": "5/2d", "CUSTOMER_RATE": "9/h"}
    found = ast.literal_eval(setting("RATES", **rates))
    assert found["order"] == (7, 1)
    assert found["account"] == (5, 172_800)
    assert found["customer"] == (9, 3600)
    assert found["log_in_account"] == (10, 900)


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


def settings_of(*names, **environment):
    code = "from django.conf import settings; "
    code += "; ".join(f"print(settings.{name})" for name in names)
    environment["DJANGO_SETTINGS_MODULE"] = "shopply.settings"
    return python("-c", code, **environment).stdout.splitlines()


def setting(name, **environment):
    return settings_of(name, **environment)[0]


def test_with_nothing_set_the_shop_is_in_debug_on_sqlite():
    debug, name = settings_of("DEBUG", "DATABASES['default']['NAME']", DATABASE_URL="")
    assert debug == "True"
    assert name.endswith("/db.sqlite3")


def test_production_is_https_only_unless_told():
    found = settings_of(
        *("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"),
        *("SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER", "SECURE_HSTS_PRELOAD"),
        **PRODUCTION,
    )
    assert found == ["True", "True", "True", str(365 * 24 * 3600), "None", "False"]
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
    database = ast.literal_eval(setting("DATABASES['default']", DATABASE_URL=url))
    assert (database["HOST"], database["PASSWORD"]) == ("db.example", "s@cret")


def test_options_of_the_url_join_those_of_the_shop():
    url = "postgres://db.example/shop?sslmode=require&connect_timeout=9"
    options = setting("DATABASES['default']['OPTIONS']", DATABASE_URL=url)
    assert "'sslmode': 'require'" in options
    assert "'connect_timeout': 9" in options
    assert "lock_timeout=2s" in options
    assert "jit=off" in options
    assert "random_page_cost=1.1" in options


BEANSTALK = {
    "DATABASE_URL": "",
    "RDS_HOSTNAME": "db.example",
    "RDS_PORT": "5433",
    "RDS_DB_NAME": "ebdb",
    "RDS_USERNAME": "clerk",
    "RDS_PASSWORD": "s@c/r:e%t+# ?",
}


def test_database_of_beanstalk_is_used_unless_a_url_is_given():
    database = ast.literal_eval(setting("DATABASES['default']", **BEANSTALK))
    for key, name in (("HOST", "HOSTNAME"), ("NAME", "DB_NAME"), ("PASSWORD", "PASSWORD")):
        assert database[key] == BEANSTALK[f"RDS_{name}"]
    assert str(database["PORT"]) == BEANSTALK["RDS_PORT"]
    both = BEANSTALK | {"DATABASE_URL": "postgres://other.example/shop"}
    assert setting("DATABASES['default']['HOST']", **both) == "other.example"


def test_preload_is_asked_for():
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

    command = "import django; django.setup(); "
    served = "from shopply.server import limit_statements as limit; "
    served += f"{command}limit(django.conf.settings.DATABASES['default']); "
    assert (shown("statement_timeout", served), shown("lock_timeout", served)) == ("7s", "2s")
    assert shown("idle_in_transaction_session_timeout", served) == "7s"
    assert (shown("statement_timeout", command), shown("lock_timeout", command)) == ("0", "2s")
    assert shown("idle_in_transaction_session_timeout", command) == "0"


def test_forwarded_proto_is_believed_only_when_told():
    told = PRODUCTION | {"TRUST_X_FORWARDED_PROTO": "true"}
    assert "HTTP_X_FORWARDED_PROTO" in setting("SECURE_PROXY_SSL_HEADER", **told)
