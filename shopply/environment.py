"""The format of each environment variable. `shopply.settings` checks it before it reads any.

The server refuses to start on a malformed value, and prints one sentence that does not show it.
"""

import os
import re
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf.global_settings import LANGUAGES

from shopply.api.money import PLACES

BOOLEAN = "(?i:true|false|yes|no|on|off|1|0)", "true or false"
NUMBER = "[0-9]{1,7}", "a whole number, 0 or more"
RATE = "[1-9][0-9]*/([1-9][0-9]*)?[smhd]", "a number per period, such as 60/m or 10/15m"
LINE = r"[^\x00-\x1f\x7f]{0,200}"
HOST = r"([\w.%-]*|\[[0-9a-f:.]+\])(:[0-9]+)?"
MAIL_ADDRESS = r"[^\s@,<>]+@[^\s@,<>]+"
URL = r"https?://[\w.-]+[!-~]*"
ORIGIN = r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?"
TRACKING_PAGE = r"[^=,]{1,40}=https?://[!-+\--~]*\{number\}[!-+\--~]*"
# The default of CARRIERS: by carrier, the page that follows a parcel.
TRACKING_PAGES = {
    "DHL": "https://www.dhl.com/global-en/home/tracking.html?tracking-id={number}",
    "DPD": "https://tracking.dpd.de/status/en_US/parcel/{number}",
    "FedEx": "https://www.fedex.com/fedextrack/?trknbr={number}",
    "GLS": "https://gls-group.eu/EU/en/parcel-tracking?match={number}",
    "UPS": "https://www.ups.com/track?tracknum={number}",
    "USPS": "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}",
}
FORMATS = {  # of environment variables: a pattern, and its description
    **dict.fromkeys(("DEBUG", "SECURE_SSL_REDIRECT", "SECURE_HSTS_PRELOAD"), BOOLEAN),
    **dict.fromkeys(("TRUST_X_FORWARDED_PROTO", "SHIPPING_ADDRESS_REQUIRED"), BOOLEAN),
    **dict.fromkeys(("STAFF_API_PERMISSIONS", "REQUIRE_CONFIRMED_EMAIL"), BOOLEAN),
    **dict.fromkeys(("CONN_MAX_AGE", "LOCK_TIMEOUT", "STATEMENT_TIMEOUT"), NUMBER),
    **dict.fromkeys(("MAX_UNITS_PER_ORDER", "MAX_OPEN_ORDERS"), NUMBER),
    **dict.fromkeys(("LOG_IN_ACCOUNT_RATE", "LOG_IN_ADDRESS_RATE"), RATE),
    **dict.fromkeys(("LOG_IN_EVERYWHERE_RATE", "ANONYMOUS_RATE", "CUSTOMER_RATE"), RATE),
    **dict.fromkeys(("ORDER_RATE", "ACCOUNT_RATE"), RATE),
    **dict.fromkeys(("PASSWORD_RESET_RATE", "EMAIL_CONFIRMATION_RATE"), RATE),
    "SECURE_HSTS_SECONDS": ("[0-9]{1,9}", "a whole number, 0 or more"),
    "NUM_PROXIES": ("[0-9]{1,2}", "a whole number, 0 or more"),
    "TOKEN_TTL": ("[0-9]{1,6}", "a whole number of days, 0 or more"),
    "CHANGES_DAYS": ("[0-9]{1,5}", "a whole number of days, 0 or more"),
    "LOW_STOCK_AT": ("[0-9]{1,3}|1000", "a whole number of pieces, 0 to 1000"),
    "PLACED_EXPIRES": ("[0-9]{1,4}", "a whole number of days, 0 or more"),
    "TASKS_BACKEND": (r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", "the path of a backend of Django's tasks"),
    "TASKS_URL": ("rediss?://.+|", "a URL such as redis://host:6379/1"),
    "TASK_TIMEOUT": ("[1-9][0-9]{0,4}", "a whole number of seconds, 1 or more"),
    "EMAIL_BACKEND": (r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", "the path of a mail backend of Django"),
    "EMAIL_URL": (
        r"(smtp|smtps|smtp\+tls|smtp\+ssl)://.+|(console|dummy|memory)mail://|filemail://.+",
        "a URL such as smtp+tls://user:password@host:587",
    ),
    "DEFAULT_FROM_EMAIL": (r"[^\x00-\x1f\x7f]*[^\s@]+@[^\s@]+", "an e-mail address"),
    "ORDER_MAILS": BOOLEAN,
    "STAFF_EMAILS": (
        rf"({MAIL_ADDRESS}( *, *{MAIL_ADDRESS})*)?",
        "e-mail addresses separated by commas",
    ),
    "WEBHOOK_ALLOWED_HOSTS": (
        r"([a-z0-9._-]+|\[[0-9a-f:.]+\]|, *)*",
        "host names separated by commas, in lower case and without scheme, port or path",
    ),
    "CARRIERS": (
        rf"({TRACKING_PAGE}(,{TRACKING_PAGE})*)?",
        "names and URLs, such as DHL=https://dhl.example/{number}, separated by commas",
    ),
    "PORT": (
        "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]",
        "a port, 1 to 65535",
    ),
    "WEB_CONCURRENCY": ("[1-9][0-9]{0,2}|1000", "a whole number, 1 to 1000"),
    "BLOCKING_THREADS": ("[1-9][0-9]?|100", "a whole number, 1 to 100"),
    "SHOP_CURRENCY": ("|".join(PLACES), "a currency code of ISO 4217, such as EUR"),
    "SHOP_NAME": (LINE, "one line of up to 200 characters"),
    "SHOP_ADDRESS": (LINE, "one line of up to 200 characters, in which | separates lines"),
    "SHOP_LANGUAGE": ("|".join(code for code, _ in LANGUAGES), "a language of Django, such as de"),
    "SHOP_URL": (URL, "a URL such as https://shop.example.com"),
    "SERVER_URL": (
        r"https?://([\w.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?/?",
        "a URL without path, such as https://api.shop.example.com",
    ),
    "PASSWORD_RESET_URL": (
        rf"(?=.*\{{uid\}})(?=.*\{{token\}}){URL}",
        "a URL such as https://shop.example.com/reset#uid={uid}&token={token}",
    ),
    "EMAIL_CONFIRMATION_URL": (
        rf"(?=.*\{{uid\}})(?=.*\{{token\}}){URL}",
        "a URL such as https://shop.example.com/confirm#uid={uid}&token={token}",
    ),
    "CONTACT_URL": (URL, "a URL such as https://shop.example.com/help"),
    "ALLOWED_HOSTS": (
        r"([\w.*-]|\[[0-9a-f:.]+\]|, *)+|[ ,]*",
        "host names separated by commas, without scheme, port or path",
    ),
    "CORS_ALLOWED_ORIGINS": (
        rf"({ORIGIN}(, *{ORIGIN})*)?",
        "origins separated by commas, such as https://shop.example, in lower case and without path",
    ),
    "MEDIA_ROOT": (r"/[^\x00-\x1f\x7f]*", "the path of a folder, from / on"),
    "AWS_STORAGE_BUCKET_NAME": (r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?", "the name of a bucket"),
    "AWS_S3_REGION_NAME": ("[a-z0-9-]+", "a region such as eu-central-1"),
    "AWS_S3_ENDPOINT_URL": (URL, "a URL such as https://storage.example.com"),
    "AWS_S3_CUSTOM_DOMAIN": (r"[\w.-]+(:[0-9]+)?", "a host name such as media.example.com"),
    "DATABASE_URL": (
        rf"postgres(ql)?://([^@/]*@)?{HOST}(,{HOST})*(/.*)?|sqlite:///.+|sqlite://:memory:|",
        "a URL such as postgres://user:password@host:5432/name or sqlite:///file",
    ),
    "CACHE_URL": (
        r"redis://[^?]+|rediss://[^?]+(\?ssl_(cert_reqs=none|ca_certs=/[^?&]+))?|",
        "a URL such as redis://host:6379/0",
    ),
    "METRICS_TOKEN": ("[!-~]*", "one word of ASCII"),
    "SENTRY_DSN": (r"https?://[^/@]+@.+|", "the DSN that Sentry shows"),
    "SENTRY_RELEASE": (r"[^\s/\\]{1,200}", "one word, without slashes"),
    "SENTRY_ENVIRONMENT": (r"[^\s/]{1,64}", "one word, without slashes"),
}


def check_environment():
    """Exit if a variable is malformed, or does not fit another one."""
    for name, (pattern, description) in FORMATS.items():
        if name in os.environ and not re.fullmatch(pattern, os.environ[name], re.ASCII):
            sys.exit(f"shopply does not start: {name} must be {description}.")
    try:
        ZoneInfo(os.environ.get("SHOP_TIME_ZONE", "UTC"))
    except (KeyError, OSError, ValueError):
        sys.exit("shopply does not start: SHOP_TIME_ZONE must be a time zone, as Europe/Berlin is.")
    templates = os.environ.get("SHOP_TEMPLATES")
    if templates and not Path(templates).is_dir():
        sys.exit("shopply does not start: SHOP_TEMPLATES must be a folder.")
    uses_rq = os.environ.get("TASKS_BACKEND", "").startswith("django_tasks_rq.")
    if uses_rq != bool(os.environ.get("TASKS_URL")):
        sys.exit(
            "shopply does not start: TASKS_URL is for TASKS_BACKEND=django_tasks_rq.RQBackend."
        )


def check_production(secret_key, allowed_hosts):
    """Exit without what a server needs that others reach."""
    if not (secret_key and allowed_hosts):
        sys.exit(
            "shopply does not start with DEBUG=false unless SECRET_KEY and ALLOWED_HOSTS are set."
        )
    if len(secret_key) < 50 or len(set(secret_key)) < 5:
        sys.exit(
            "shopply does not start with a SECRET_KEY shorter than 50 characters,"
            " or with fewer than 5 different ones."
        )


def default_server_url(debug, port, allowed_hosts):
    """Return the URL of this server; "" if ALLOWED_HOSTS names no host, only wildcards."""
    if debug:
        return f"http://127.0.0.1:{port}"
    hosts = (host for host in allowed_hosts if not host.startswith(("*", ".")))
    return next((f"https://{host}" for host in hosts), "")


def compile_origins(name, origins):
    """Return patterns that match whole origins; django-cors-headers would match a beginning."""
    try:
        return [re.compile(rf"(?:{origin})\Z") for origin in origins]
    except re.error:
        sys.exit(f"shopply does not start: {name} must be regular expressions separated by commas.")


def parse_rate(text):
    """Return the rate `10/15m` as (10, 900): the maximum, and the seconds."""
    maximum, period = text.split("/")
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}[period[-1]]
    return int(maximum), int(period[:-1] or 1) * unit
