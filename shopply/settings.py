"""Settings of the shop. Each is an environment variable; docs/settings.md lists them all.

With nothing set, the shop runs in debug on localhost with SQLite in this folder. It refuses to
start without what production needs, or with a malformed value (`shopply/environment.py`).
"""

import logging
import os
from datetime import timedelta
from pathlib import Path

import environ
from django.conf import global_settings

from shopply.api.schema_config import schema_config
from shopply.database_config import postgresql_options, rds_config, sqlite_options
from shopply.environment import (
    TRACKING_PAGES,
    check_environment,
    check_production,
    compile_origins,
    default_server_url,
    parse_rate,
)
from shopply.logging_config import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")
check_environment()

# --- Required in production ---------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=True)
# Not by env(), which would expand a value that begins with $.
SECRET_KEY = os.environ.get("SECRET_KEY", "").strip()
ALLOWED_HOSTS = [host.strip() for host in env.list("ALLOWED_HOSTS", default=[]) if host.strip()]
if not DEBUG:
    check_production(SECRET_KEY, ALLOWED_HOSTS)
SECRET_KEY = SECRET_KEY or "django-insecure-for-localhost-only"

CSRF_TRUSTED_ORIGINS = env("CSRF_TRUSTED_ORIGINS", cast=[str.strip], default=[])

PORT = env.int("PORT", default=8000)
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", default=1)  # processes
BLOCKING_THREADS = env.int("BLOCKING_THREADS", default=4)  # of each process

SHOP_CURRENCY = env.str("SHOP_CURRENCY", default="EUR")  # ISO 4217
# Otherwise a customer without an address collects the order.
SHIPPING_ADDRESS_REQUIRED = env.bool("SHIPPING_ADDRESS_REQUIRED", default=False)
# Printed on packing slips.
SHOP_NAME = env.str("SHOP_NAME", default="")
SHOP_ADDRESS = env.str("SHOP_ADDRESS", default="")  # lines, separated by |
SHOP_TEMPLATES = env.str("SHOP_TEMPLATES", default="")  # a folder

# Whether staff need the permissions of the admin in the API, too. Otherwise they may do everything.
STAFF_API_PERMISSIONS = env.bool("STAFF_API_PERMISSIONS", default=False)

# --- Timeouts, in seconds, from the innermost out: each is over before the next ------------------

CACHE_TIMEOUT = 0.25  # of a call of the cache
QUEUE_PROBE_TIMEOUT = 0.4  # of what /readyz asks the queue of tasks
DATABASE_PROBE_TIMEOUT = 1.5  # of what /readyz and /metrics ask
CONNECT_TIMEOUT = 2  # to the database
LOCK_TIMEOUT = env.int("LOCK_TIMEOUT", default=2)  # of PostgreSQL; retries included
STATEMENT_TIMEOUT = env.int("STATEMENT_TIMEOUT", default=5)  # of PostgreSQL, in requests
SQLITE_LOCK_TIMEOUT = 7  # its writers share one lock
DATABASE_HOST_TIMEOUT = 8  # until a host that disappeared is given up
# Then: 10 of the proxy for a response, 30 of a server that stops, 60 of a liveness probe.

# --- Database -----------------------------------------------------------------------------------

CONN_MAX_AGE = env.int("CONN_MAX_AGE", default=60)  # seconds

DATABASE_URL = env.str("DATABASE_URL", default="")
if "RDS_HOSTNAME" in os.environ and not DATABASE_URL:
    DATABASES = {"default": rds_config(os.environ)}
else:
    url = DATABASE_URL or f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
    DATABASES = {"default": env.db_url_config(url)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # For ever: it is a file.
    DATABASES["default"] |= {"CONN_MAX_AGE": None, "OPTIONS": sqlite_options(SQLITE_LOCK_TIMEOUT)}
else:
    options = postgresql_options(
        DATABASES["default"].get("OPTIONS", {}),  # such as sslmode, from the URL
        connect_timeout=CONNECT_TIMEOUT,
        lock_timeout=LOCK_TIMEOUT,
        host_timeout=DATABASE_HOST_TIMEOUT,
    )
    DATABASES["default"] |= {"CONN_MAX_AGE": CONN_MAX_AGE, "OPTIONS": options}

DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024  # bytes: a body that is all escapes still fits
FILE_UPLOAD_HANDLERS = ["shopply.middleware.RejectUploads"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FIXTURE_DIRS = [BASE_DIR / "fixtures"]

# --- Tasks and mail, which `manage.py db_worker` sends --------------------------------------------

TASKS_BACKEND = env.str("TASKS_BACKEND", default="django_tasks_db.DatabaseBackend")
TASKS = {"default": {"BACKEND": TASKS_BACKEND}}
TASKS_URL = env.str("TASKS_URL", default="")  # the Redis of django-tasks-rq
# Seconds after which the worker of a task that still runs was killed. Each task ends long before.
TASK_TIMEOUT = env.int("TASK_TIMEOUT", default=120)

EMAIL_URL = env.str("EMAIL_URL", default="consolemail://" if DEBUG else "dummymail://")
vars().update(env.email_url_config(EMAIL_URL))
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default=EMAIL_BACKEND)  # noqa: F821  of django-anymail
ANYMAIL = env.dict("ANYMAIL", default={})
EMAIL_TIMEOUT = 10  # seconds, of each call of the mail server
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="shop@localhost")
ORDER_MAILS = env.bool("ORDER_MAILS", default=True)  # to customers, about their orders
STAFF_EMAILS = env("STAFF_EMAILS", cast=[str.strip], default=[])  # who gets mails about the shop

# Where this server is, for links in mails: never the Host of a request, which anyone can choose.
SERVER_URL = env.str("SERVER_URL", default=default_server_url(DEBUG, PORT, ALLOWED_HOSTS))
# The page of the shop's own front end that sets a password, instead of this server's.
PASSWORD_RESET_URL = env.str("PASSWORD_RESET_URL", default="")
PASSWORD_RESET_TIMEOUT = 3600  # seconds
# The page of the shop's own front end that confirms an e-mail address, instead of this server's.
EMAIL_CONFIRMATION_URL = env.str("EMAIL_CONFIRMATION_URL", default="")
# Whether customers order only once their e-mail address is confirmed.
REQUIRE_CONFIRMED_EMAIL = env.bool("REQUIRE_CONFIRMED_EMAIL", default=False)

# Hosts to which webhooks are sent though their addresses are private, and by plain HTTP too.
WEBHOOK_ALLOWED_HOSTS = env("WEBHOOK_ALLOWED_HOSTS", cast=[str.strip], default=[])

# --- CORS, of the API only and without cookies ---------------------------------------------------

LOCALHOST = r"http://(localhost|127\.0\.0\.1)(:[0-9]+)?"
CORS_ALLOWED_ORIGINS = env("CORS_ALLOWED_ORIGINS", cast=[str.strip], default=[])
CORS_ALLOWED_ORIGIN_REGEXES = compile_origins(
    "CORS_ALLOWED_ORIGIN_REGEXES",
    env("CORS_ALLOWED_ORIGIN_REGEXES", cast=[str.strip], default=[LOCALHOST] if DEBUG else []),
)
CORS_ENABLED = bool(CORS_ALLOWED_ORIGINS or CORS_ALLOWED_ORIGIN_REGEXES)
CORS_URLS_REGEX = r"^/api(/|$)"
CORS_ALLOW_HEADERS = [
    *("authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    *("Allow", "ETag", "Idempotent-Replayed", "Link", "Location", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", "X-Request-ID"),
]

# --- Django -------------------------------------------------------------------------------------

ROOT_URLCONF = "shopply.urls"
WSGI_APPLICATION = "shopply.wsgi.application"

INSTALLED_APPS = [
    "shopply",
    "customers",
    "products",
    "orders",
    "changes",
    "mail",
    "webhooks",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "import_export",
    "django_tasks",
    "shopply.apps.TasksConfig",
    "whitenoise.runserver_nostatic",
    "shopply.apps.ShopAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "shopply.apps.ShopStaticFilesConfig",
]

if TASKS_URL:
    INSTALLED_APPS.append("django_rq")
    RQ_QUEUES = {"default": {"URL": TASKS_URL, "DEFAULT_TIMEOUT": TASK_TIMEOUT}}
    RQ_SHOW_ADMIN_LINK = False  # all staff would see the arguments of tasks

MIDDLEWARE = [
    "shopply.middleware.RequestIDMiddleware",
    "shopply.logging_config.log_requests",
    "shopply.metrics.count_requests",
    "shopply.middleware.RealIPMiddleware",
    # Above all that can respond by itself, so that errors have its headers too; not if it is off,
    # since it takes 7 % of the row "product list, 5".
    *(["corsheaders.middleware.CorsMiddleware"] if CORS_ENABLED else []),
    "shopply.middleware.PreserveMethodOnRedirect",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "shopply.middleware.ContentSecurityPolicyMiddleware",
    "shopply.middleware.NoStoreMiddleware",
    "shopply.middleware.AppendSlashMiddleware",
    "shopply.middleware.RestrictPageMethods",
    "shopply.middleware.CheckBodyMiddleware",
    "shopply.middleware.RejectInvalidText",
    "shopply.api.preconditions.RejectConditions",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "shopply.middleware.localize_admin",
    "shopply.middleware.SessionMiddleware",
    "shopply.middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "shopply.middleware.AuthenticationMiddleware",
    "shopply.middleware.MessageMiddleware",
    "customers.throttles.end_requests",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [SHOP_TEMPLATES] if SHOP_TEMPLATES else [],  # instead of those of the apps
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# In the admin, lists are exported by those who may view them, and products imported by those who
# may change them.
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "change"

# Of the API and the logs; `shopply.middleware.localize_admin` changes both for the admin.
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
SHOP_TIME_ZONE = env.str("SHOP_TIME_ZONE", default="UTC")  # IANA
SHOP_LANGUAGE = env.str("SHOP_LANGUAGE", default="en")
USE_I18N = SHOP_LANGUAGE != "en"
FORMAT_MODULE_PATH = "shopply.formats"

LOGGING = logging_config(DEBUG)
logging.captureWarnings(not DEBUG)

METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")  # not by env(), as SECRET_KEY
VERSION = "1.0.0"
SENTRY_DSN = env.str("SENTRY_DSN", default="")
SENTRY_RELEASE = env.str("SENTRY_RELEASE", default=f"shopply@{VERSION}")
SENTRY_ENVIRONMENT = env.str("SENTRY_ENVIRONMENT", default="debug" if DEBUG else "production")

AUTH_USER_MODEL = "customers.Customer"
PASSWORD_HASHERS = [
    "customers.hashers.LowPriorityPBKDF2PasswordHasher",  # in place of Django's first
    *global_settings.PASSWORD_HASHERS[1:],
]
AUTHENTICATION_BACKENDS = ["customers.auth_backends.RateLimitedModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Debug serves the sources; production what `collectstatic` hashed and compressed.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    }
}

# Pictures of products: in a folder that all servers share, or in a bucket (django-storages).
MEDIA_URL = "/media/"
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(BASE_DIR / "media"))
AWS_STORAGE_BUCKET_NAME = env.str("AWS_STORAGE_BUCKET_NAME", default="")
if AWS_STORAGE_BUCKET_NAME:
    AWS_S3_REGION_NAME = env.str("AWS_S3_REGION_NAME", default=None)
    AWS_S3_ENDPOINT_URL = env.str("AWS_S3_ENDPOINT_URL", default=None)  # of another than Amazon
    AWS_S3_CUSTOM_DOMAIN = env.str("AWS_S3_CUSTOM_DOMAIN", default=None)  # of a CDN before it
    STORAGES["default"] = {"BACKEND": "products.bucket.BucketStorage"}
else:
    STORAGES["default"] = {"BACKEND": "products.media.MediaStorage"}

# --- HTTPS, all on in production ----------------------------------------------------------------

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = ["^(healthz|readyz|metrics)$"]  # probes use plain HTTP
YEAR = 365 * 24 * 3600
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else YEAR)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_SECONDS > 0
# Off by default: it takes months to get off the preload list.
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = [
    "security.W021",
    # Not mistakes behind a proxy that enforces HTTPS: shopply/checks.py reports them as Info.
    *("security.W004", "security.W008", "security.W010", "security.W012", "security.W016"),
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
if env.bool("TRUST_X_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Limits -------------------------------------------------------------------------------------


def rate(name, default):
    return parse_rate(env.str(name, default=default))


def request_rate(name, default):
    """Return the rate, or None (no limit) in debug unless the variable is set."""
    return None if DEBUG and name not in os.environ else rate(name, default)


RATES = {
    "log_in_account": rate("LOG_IN_ACCOUNT_RATE", "10/15m"),
    "log_in_everywhere": rate("LOG_IN_EVERYWHERE_RATE", "100/15m"),
    "log_in_address": rate("LOG_IN_ADDRESS_RATE", "100/15m"),
    "anonymous": request_rate("ANONYMOUS_RATE", "600/m"),
    "customer": request_rate("CUSTOMER_RATE", "1200/m"),
    "order": request_rate("ORDER_RATE", "60/m"),
    "account": request_rate("ACCOUNT_RATE", "30/h"),
    "password_reset": rate("PASSWORD_RESET_RATE", "3/h"),
    "email_confirmation": rate("EMAIL_CONFIRMATION_RATE", "5/h"),
}

# How much stock one customer can hold; 0 is no limit.
MAX_UNITS_PER_ORDER = env.int("MAX_UNITS_PER_ORDER", default=0)
MAX_OPEN_ORDERS = env.int("MAX_OPEN_ORDERS", default=0)  # placed or confirmed
# Days after which an order that nobody confirmed is cancelled; 0 is never.
PLACED_EXPIRES = env.int("PLACED_EXPIRES", default=0)

LOW_STOCK_AT = env.int("LOW_STOCK_AT", default=5)  # of products that have no limit of their own

CARRIERS = env.dict("CARRIERS", default=TRACKING_PAGES)

TOKEN_TTL = timedelta(days=env.int("TOKEN_TTL", default=0))

CHANGES_DAYS = env.int("CHANGES_DAYS", default=30)  # that the feed keeps changes; 0 is for ever

# Counts requests and failed log-ins. Without a CACHE_URL each process counts requests on its own,
# and the database counts failed log-ins.
CACHE_URL = env.str("CACHE_URL", default="")
if CACHE_URL:
    CACHES = {
        "default": {
            # Not Django's own, which counts in two calls (row "product list, 5", with Redis).
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": CACHE_URL,
            "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": CACHE_TIMEOUT, "SOCKET_TIMEOUT": CACHE_TIMEOUT},
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # Enough for all callers in the longest window of a busy shop.
            "OPTIONS": {"MAX_ENTRIES": 50_000},
        }
    }

# --- API ----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # A 401 names the first scheme: for `Basic`, a browser would open a dialogue.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "customers.authentication.TokenAuthentication",
        "customers.authentication.BearerAuthentication",
        "customers.authentication.BasicAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["shopply.api.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "shopply.api.renderers.ContentNegotiation",
    "DEFAULT_RENDERER_CLASSES": ["shopply.api.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "shopply.api.pagination.PageNumberPagination",
    "DEFAULT_METADATA_CLASS": "shopply.api.metadata.NoMetadata",
    "DEFAULT_SCHEMA_CLASS": "shopply.api.schema.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "customers.throttles.UserOrAnonThrottle",
        "customers.throttles.ScopedThrottle",
    ],
    # So many entries of X-Forwarded-For, written by our own proxies, are trusted.
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "EXCEPTION_HANDLER": "shopply.api.exceptions.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# Where *View site* in the admin leads.
SHOP_URL = env.str("SHOP_URL", default="")

# Where users of the API get help: in the OpenAPI document.
CONTACT_URL = env.str("CONTACT_URL", default="")

SPECTACULAR_SETTINGS = schema_config(VERSION, CONTACT_URL)
