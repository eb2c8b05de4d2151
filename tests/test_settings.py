"""How a server starts, or refuses to, depending on its environment variables."""

import ast
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

SECRET = "0123456789" * 6
PRODUCTION = {"DEBUG": "false", "SECRET_KEY": SECRET, "ALLOWED_HOSTS": "shop.example"}
ERROR_MESSAGE = (
    "shopply does not start with DEBUG=false unless SECRET_KEY and ALLOWED_HOSTS are set."
)
SET_BY_TESTS = {"DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}


def python(*arguments, cwd=settings.BASE_DIR, **environment):
    """Run Python with these arguments, by default on a database that leaves no file behind."""
    base_environment = {
        name: value for name, value in os.environ.items() if name not in SET_BY_TESTS
    }
    base_environment["DATABASE_URL"] = "sqlite://:memory:"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=base_environment | environment,
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
    environment = {name: value for name, value in PRODUCTION.items() if name not in missing}
    result = python(*start, **environment)
    assert result.returncode != 0
    assert ERROR_MESSAGE in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "blank", [{"SECRET_KEY": ""}, {"SECRET_KEY": " "}, {"ALLOWED_HOSTS": " , "}]
)
def test_blank_secret_or_host_is_rejected(blank):
    assert python("manage.py", "check", **PRODUCTION | blank).stderr == f"{ERROR_MESSAGE}\n"


@pytest.mark.parametrize("secret", ["x", SECRET[:49], "abcd" * 15])
def test_weak_secret_is_rejected_in_one_sentence(secret):
    result = python("manage.py", "check", **PRODUCTION | {"SECRET_KEY": secret})
    assert result.returncode != 0
    assert result.stderr.startswith("shopply does not start with a SECRET_KEY shorter than 50")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "variables",
    [{"TASKS_BACKEND": "django_tasks_rq.RQBackend"}, {"TASKS_URL": "redis://127.0.0.1:1/0"}],
    ids=str,
)
def test_redis_and_the_backend_that_uses_it_are_set_together(variables):
    result = python("manage.py", "check", **PRODUCTION | variables)
    assert result.returncode == 1
    assert result.stderr.startswith("shopply does not start: TASKS_URL ")


def test_secret_is_not_interpolated():
    assert read_setting("SECRET_KEY", **PRODUCTION | {"SECRET_KEY": "$HOME" * 12}) == "$HOME" * 12


def test_links_in_mails_have_the_first_host_without_a_wildcard():
    code = "from shopply.settings import SERVER_URL; print(SERVER_URL)"
    result = python("-c", code, **PRODUCTION | {"ALLOWED_HOSTS": ".b.example, *, shop.example"})
    assert result.stdout == "https://shop.example\n"


def test_debug_limits_log_ins_and_only_the_requests_with_a_rate():
    code = "from shopply.settings import RATES; print({n for n, rate in RATES.items() if rate})"
    result = python("-c", code, DEBUG="true", ORDER_RATE="7/s")
    assert ast.literal_eval(result.stdout) == {
        *("log_in_account", "log_in_everywhere", "log_in_address", "order"),
        *("password_reset", "email_confirmation"),
    }


def test_rates_are_a_count_and_seconds():
    rates = {"ORDER_RATE": "7/s", "ACCOUNT_RATE": "5/2d", "CUSTOMER_RATE": "9/h"}
    parsed = ast.literal_eval(read_setting("RATES", **rates))
    assert parsed["order"] == (7, 1)
    assert parsed["account"] == (5, 172_800)
    assert parsed["customer"] == (9, 3600)
    assert parsed["log_in_account"] == (10, 900)


def test_production_logs_its_failures_with_the_request_id():
    code = (
        "import django; django.setup(); from django.test import Client; "
        "Client(headers={'X-Request-ID': 'order-17'}).get('/api/products/', secure=True, "
        "HTTP_HOST='shop.example')"
    )
    environment = PRODUCTION | {"DATABASE_URL": "postgres://127.0.0.1:1/nothing"}
    result = python("-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", **environment)
    assert "Connection refused" in result.stderr
    assert "order-17" in result.stderr


def read_settings(*names, **environment):
    code = "from django.conf import settings; "
    code += "; ".join(f"print(settings.{name})" for name in names)
    environment["DJANGO_SETTINGS_MODULE"] = "shopply.settings"
    return python("-c", code, **environment).stdout.splitlines()


def read_setting(name, **environment):
    return read_settings(name, **environment)[0]


def test_defaults_are_debug_and_sqlite():
    debug, name = read_settings("DEBUG", "DATABASES['default']['NAME']", DATABASE_URL="")
    assert debug == "True"
    assert name.endswith("/db.sqlite3")


def test_zone_and_language_of_the_shop_leave_django_in_utc_and_english():
    names = ("TIME_ZONE", "LANGUAGE_CODE", "SHOP_TIME_ZONE", "SHOP_LANGUAGE", "USE_I18N")
    assert read_settings(*names) == ["UTC", "en", "UTC", "en", "False"]
    values = read_settings(*names, SHOP_TIME_ZONE="Asia/Tokyo", SHOP_LANGUAGE="ja")
    assert values == ["UTC", "en", "Asia/Tokyo", "ja", "True"]


def test_staff_are_admins_in_the_api_by_default():
    assert read_setting("STAFF_API_PERMISSIONS") == "False"
    assert read_setting("STAFF_API_PERMISSIONS", STAFF_API_PERMISSIONS="yes") == "True"


def test_production_is_https_only_unless_disabled():
    values = read_settings(
        *("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"),
        *("SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER", "SECURE_HSTS_PRELOAD"),
        **PRODUCTION,
    )
    assert values == ["True", "True", "True", str(365 * 24 * 3600), "None", "False"]
    plain = PRODUCTION | {"SECURE_SSL_REDIRECT": "false"}
    assert read_setting("SECURE_SSL_REDIRECT", **plain) == "False"


def test_production_sends_hsts_and_redirects_to_https():
    code = (
        "import django; django.setup(); from django.test import Client; "
        "ask = lambda secure: Client().get('/api/', secure=secure, HTTP_HOST='shop.example'); "
        "print(ask(True)['Strict-Transport-Security'], ask(False)['Location'])"
    )
    result = python("-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", **PRODUCTION)
    policy, _, address = result.stdout.splitlines()[-1].rpartition(" ")
    assert policy == "max-age=31536000; includeSubDomains"
    assert address == "https://shop.example/api/"


def test_redirect_to_https_preserves_method_and_body():
    code = (
        "import django; django.setup(); from django.test import Client; "
        "ask = Client().generic; print(*("
        "ask(method, path, HTTP_HOST='shop.example').status_code "
        "for path in ('/api/orders', '/admin/') "
        "for method in ('GET', 'HEAD', 'POST', 'PATCH', 'DELETE')))"
    )
    result = python("-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", **PRODUCTION)
    assert result.stdout.splitlines()[-1] == " ".join(["301 301 308 308 308"] * 2)


def test_database_url_selects_postgresql():
    url = "postgres://clerk:s%40cret@db.example:5433/shop"
    database = ast.literal_eval(read_setting("DATABASES['default']", DATABASE_URL=url))
    assert (database["HOST"], database["PASSWORD"]) == ("db.example", "s@cret")


def test_options_of_the_url_are_merged_with_the_defaults():
    url = "postgres://db.example/shop?sslmode=require&connect_timeout=9"
    options = read_setting("DATABASES['default']['OPTIONS']", DATABASE_URL=url)
    assert "'sslmode': 'require'" in options
    assert "'connect_timeout': 9" in options
    assert "lock_timeout=2s" in options
    assert "jit=off" in options
    assert "random_page_cost=1.1" in options


def test_flags_of_the_url_are_added_to_the_defaults():
    url = "postgres://db.example/shop?options=-c%20search_path=shop"
    options = ast.literal_eval(read_setting("DATABASES['default']['OPTIONS']", DATABASE_URL=url))
    flags = "-c lock_timeout=2s -c jit=off -c random_page_cost=1.1 -c search_path=shop"
    assert options["options"] == flags


def test_cache_url_keeps_its_query():
    url = "rediss://cache.example:6380/1?ssl_cert_reqs=none"
    assert read_setting("CACHES['default']['LOCATION']", CACHE_URL=url) == url


BEANSTALK = {
    "DATABASE_URL": "",
    "RDS_HOSTNAME": "db.example",
    "RDS_PORT": "5433",
    "RDS_DB_NAME": "ebdb",
    "RDS_USERNAME": "clerk",
    "RDS_PASSWORD": "s@c/r:e%t+# ?",
}


def test_database_of_beanstalk_is_used_unless_a_url_is_set():
    database = ast.literal_eval(read_setting("DATABASES['default']", **BEANSTALK))
    for key, name in (("HOST", "HOSTNAME"), ("NAME", "DB_NAME"), ("PASSWORD", "PASSWORD")):
        assert database[key] == BEANSTALK[f"RDS_{name}"]
    assert str(database["PORT"]) == BEANSTALK["RDS_PORT"]
    both = BEANSTALK | {"DATABASE_URL": "postgres://other.example/shop"}
    assert read_setting("DATABASES['default']['HOST']", **both) == "other.example"


def test_hsts_preload_can_be_enabled():
    assert read_setting("SECURE_HSTS_PRELOAD", **PRODUCTION, SECURE_HSTS_PRELOAD="yes") == "True"


def test_statements_time_out_in_requests_and_not_in_commands():
    if connection.vendor != "postgresql":
        pytest.skip("the suite does not run on PostgreSQL")
    ask = "from django.db import connection as c; k = c.cursor(); k.execute('SHOW {}'); "
    ask += "print(k.fetchone()[0])"
    environment = {"DATABASE_URL": os.environ["DATABASE_URL"], "STATEMENT_TIMEOUT": "7"}

    def show(name, start):
        environment["DJANGO_SETTINGS_MODULE"] = "shopply.settings"
        return python("-c", start + ask.format(name), **environment).stdout.strip()

    command = "import django; django.setup(); "
    server = "from shopply.server import limit_statements as limit; "
    server += f"{command}limit(django.conf.settings.DATABASES['default']); "
    assert (show("statement_timeout", server), show("lock_timeout", server)) == ("7s", "2s")
    assert show("idle_in_transaction_session_timeout", server) == "7s"
    assert (show("statement_timeout", command), show("lock_timeout", command)) == ("0", "2s")
    assert show("idle_in_transaction_session_timeout", command) == "0"


def test_forwarded_proto_is_trusted_only_if_enabled():
    environment = PRODUCTION | {"TRUST_X_FORWARDED_PROTO": "true"}
    assert "HTTP_X_FORWARDED_PROTO" in read_setting("SECURE_PROXY_SSL_HEADER", **environment)


def allowed_origins(*origins, **environment):
    """Return those of the origins that CORS_ALLOWED_ORIGIN_REGEXES allows."""
    code = (
        "from shopply.settings import CORS_ALLOWED_ORIGIN_REGEXES as patterns; "
        f"print([o for o in {origins} if any(pattern.match(o) for pattern in patterns)])"
    )
    result = python("-c", code, **environment)
    return ast.literal_eval(result.stdout) if result.returncode == 0 else result.stderr


LOCAL = ("http://localhost", "http://localhost:5173", "http://127.0.0.1:3000")
FOREIGN = ("https://localhost:x", "http://localhost.evil.example", "http://127.0.0.1:3000.evil")


def test_debug_allows_pages_of_localhost_and_production_none():
    assert allowed_origins(*LOCAL, *FOREIGN) == [*LOCAL]
    assert allowed_origins(*LOCAL, **PRODUCTION) == []


def test_origin_pattern_matches_whole_origins():
    environment = PRODUCTION | {
        "CORS_ALLOWED_ORIGIN_REGEXES": r"https://[a-z]+\.shop\.example, http://till|http://desk"
    }
    good = ("https://www.shop.example", "http://till", "http://desk")
    bad = ("https://www.shop.example.evil.example", "http://till.evil", "http://desk\n")
    assert allowed_origins(*good, *bad, **environment) == [*good]


def test_templates_of_the_shop_are_in_a_folder(tmp_path):
    folders = read_setting("TEMPLATES[0]['DIRS']", SHOP_TEMPLATES=str(tmp_path))
    assert folders == str([str(tmp_path)])
    result = python("manage.py", "check", SHOP_TEMPLATES=str(tmp_path / "missing"))
    assert result.stderr == "shopply does not start: SHOP_TEMPLATES must be a folder.\n"


def test_malformed_origin_pattern_is_rejected_in_one_sentence():
    assert allowed_origins(CORS_ALLOWED_ORIGIN_REGEXES="https://(hush") == (
        "shopply does not start: CORS_ALLOWED_ORIGIN_REGEXES must be regular expressions separated"
        " by commas.\n"
    )


def test_mail_settings_are_read():
    names = ("EMAIL_BACKEND", "ORDER_MAILS", "STAFF_EMAILS", "ANYMAIL", "EMAIL_TIMEOUT")
    console = "django.core.mail.backends.console.EmailBackend"
    assert read_settings(*names) == [console, "True", "[]", "{}", "10"]
    values = read_settings(
        *names,
        EMAIL_BACKEND="anymail.backends.postmark.EmailBackend",
        ORDER_MAILS="no",
        STAFF_EMAILS="till@shop.example, desk@shop.example",
        ANYMAIL="POSTMARK_SERVER_TOKEN=abc,IGNORE_UNSUPPORTED_FEATURES=True",
    )
    assert values[:3] == [
        *("anymail.backends.postmark.EmailBackend", "False"),
        "['till@shop.example', 'desk@shop.example']",
    ]
    assert ast.literal_eval(values[3])["POSTMARK_SERVER_TOKEN"] == "abc"  # noqa: S105


@pytest.mark.parametrize(
    ("currency", "example"), [("EUR", "11.90"), ("JPY", "12"), ("KWD", "11.900")]
)
def test_examples_of_amounts_have_the_places_of_the_currency(currency, example):
    code = "import django; django.setup(); from products.filters import PRICE; print(PRICE)"
    result = python("-c", code, DJANGO_SETTINGS_MODULE="shopply.settings", SHOP_CURRENCY=currency)
    assert f"such as {example}." in result.stdout
