"""The shop refuses to start on a malformed environment variable, and says so in one sentence."""

import re

import pytest
from django.conf import settings

from shopply import environment
from tests.test_settings import python


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "flase") for name, rule in environment.FORMATS.items() if "true or" in rule[1]),
        *(("CONN_MAX_AGE", "-1"), ("LOCK_TIMEOUT", "-5"), ("NUM_PROXIES", "-1")),
        *(("CONN_MAX_AGE", ""), ("LOCK_TIMEOUT", "5s"), ("NUM_PROXIES", "one")),
        *(("SECURE_HSTS_SECONDS", "1.5"), ("TOKEN_TTL", "x"), ("CACHE_URL", "nonsense://hush")),
        *(("SENTRY_DSN", "hush"), ("DATABASE_URL", "postgres://shop:hush@db:x/shop")),
        *(
            ("ORDER_RATE", rate)
            for rate in ("", "10", "0/m", "ten/m", "10/w", "10/0m", "-1/m", "١٠/m")
        ),
        *(("PORT", port) for port in ("0", "65536", "-1")),
        *(("WEB_CONCURRENCY", number) for number in ("0", "1001")),
        *(("BLOCKING_THREADS", number) for number in ("0", "101")),
        *(("CHANGES_DAYS", "-1"), ("CHANGES_DAYS", "999999")),
        *(("TOKEN_TTL", "-1"), ("STATEMENT_TIMEOUT", "99999999"), ("SECURE_HSTS_SECONDS", "-1")),
        *(("SHOP_CURRENCY", currency) for currency in ("", "EURO", "eur", "€", "ZZZ", "XAU")),
        *(("SHOP_NAME", "hush\nhush"), ("SHOP_ADDRESS", "hush" * 51)),
        *(("SHOP_TIME_ZONE", zone) for zone in ("", "hush", "Europe", "../hush", "UTC+1", "Hûsh")),
        *(("SHOP_LANGUAGE", code) for code in ("", "hush", "german", "DE", "de_DE")),
        *(("SHOP_URL", url) for url in ("", "hush", "shop.example", "https://")),
        *(("SERVER_URL", url) for url in ("", "hush", "https://hush.example/path", "https://")),
        *(
            ("PASSWORD_RESET_URL", url)
            for url in ("https://hush", "https://hush/{uid}", "{uid}{token}", "ftp://{uid}{token}")
        ),
        *(("CONTACT_URL", url) for url in ("", "hush", "mailto:hush@shop.example", "https://")),
        *(("ALLOWED_HOSTS", f"{host},b") for host in ("https://hush", "hush:80", "hush/shop")),
        *(("ALLOWED_HOSTS", host) for host in ("hush b.example", "bücher.example")),
        *(("DATABASE_URL", url) for url in ("oracle://hush@db/shop", "hush", "sqlite://shop.db")),
        *(
            ("CACHE_URL", url)
            for url in (
                *("locmemcache://", "memcache://hush", "redis://cache.example?hush=1"),
                "rediss://cache.example?ssl_cert_reqs=hush",
            )
        ),
        *(("TASKS_URL", "hush"), ("TASKS_BACKEND", "hush"), ("TASK_TIMEOUT", "0")),
        *(("PLACED_EXPIRES", days) for days in ("", "-1", "1.5", "x", "99999")),
        *(
            ("CARRIERS", carriers)
            for carriers in (
                "hush",
                "DHL=https://hush.example/",
                "DHL=hush.example/{number}",
                "=https://hush.example/{number}",
                "DHL=javascript:hush({number})",
                "DHL=https://hush.example/{number},",
                "DHL=https://hush.example/ {number}",
            )
        ),
        *(("METRICS_TOKEN", "a hush"), ("METRICS_TOKEN", "hushé")),
        *(
            ("CORS_ALLOWED_ORIGINS", origins)
            for origins in (
                "*",
                "null",
                "hush",
                "https://hush/",
                "https://Hush.example",
                "a://b c://d",
            )
        ),
        *(("SENTRY_RELEASE", "hush/1"), ("SENTRY_ENVIRONMENT", "the hush")),
    ],
)
def test_malformed_variable_is_rejected_without_showing_its_value(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exc_info:
        environment.check_environment()
    assert exc_info.value.code.startswith(f"shopply does not start: {name} must be ")
    assert "hush" not in exc_info.value.code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DEBUG", word) for word in ("true", "No", "ON", "1")),
        *(("ALLOWED_HOSTS", "shop.example.com, .b.example,127.0.0.1,[::1],*,"),),
        *(("DATABASE_URL", url) for url in ("", "sqlite:////srv/my shop.db", "sqlite://:memory:")),
        ("DATABASE_URL", "postgres://a:b@one:5432,two:5433/shop?target_session_attrs=read-write"),
        *(
            ("CACHE_URL", url)
            for url in (
                *("", "redis://[::1]:1/3", "rediss://:hush@cache.example"),
                *("rediss://h:1/0?ssl_cert_reqs=none", "rediss://h:1?ssl_ca_certs=/etc/ca.pem"),
            )
        ),
        *(("SHOP_TIME_ZONE", zone) for zone in ("UTC", "Europe/Berlin", "Etc/GMT+1")),
        *(("SHOP_LANGUAGE", code) for code in ("en", "de", "zh-hans")),
        ("SHOP_URL", "https://shop.example/start?from=admin"),
        *(("SERVER_URL", url) for url in ("https://api.shop.example/", "http://[::1]:8000")),
        ("PASSWORD_RESET_URL", "https://shop.example/#/reset?token={token}&uid={uid}"),
        *(("METRICS_TOKEN", ""), ("LOCK_TIMEOUT", "0")),
        *(("PLACED_EXPIRES", days) for days in ("0", "14")),
        *(
            ("CARRIERS", carriers)
            for carriers in (
                "",
                "DHL=https://dhl.example/?id={number}&lang=en",
                "PostNord=https://post.example/{number}/,Österreichische Post=http://post.at/#{number}",
            )
        ),
        *(
            ("CORS_ALLOWED_ORIGINS", origins)
            for origins in (
                "",
                "https://shop.example,http://[::1]:3000, capacitor://localhost",
            )
        ),
    ],
)
def test_well_formed_variable_passes(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    environment.check_environment()


def test_every_boolean_setting_is_checked():
    """django-environ reads any unknown word as false."""
    text = (settings.BASE_DIR / "shopply/settings.py").read_text(encoding="utf-8")
    booleans = re.findall(r'env\.bool\("(\w+)"', text)
    assert booleans
    assert {environment.FORMATS[name] for name in booleans} == {environment.BOOLEAN}


@pytest.mark.parametrize("command", [("manage.py", "migrate"), ("-m", "shopply.server")])
def test_nothing_starts_with_a_malformed_variable(command):
    result = python(*command, SHOP_CURRENCY="EURO")
    assert result.returncode == 1
    assert result.stderr == (
        "shopply does not start: SHOP_CURRENCY must be a currency code of ISO 4217, such as EUR.\n"
    )
