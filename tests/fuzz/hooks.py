"""What schemathesis cannot know about the shop: the account, its data, its rules."""

import itertools
import json
import os
from urllib.parse import urlencode

import django
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

os.environ["DJANGO_SETTINGS_MODULE"] = "shopply.settings"
django.setup()

from rest_framework.authtoken.models import Token  # noqa: E402

from customers.checks import PUBLISHED_LOGINS  # noqa: E402
from customers.models import Customer  # noqa: E402
from products.models import Product  # noqa: E402

USERNAME = os.environ["FUZZ_AS"]
PASSWORD = PUBLISHED_LOGINS[USERNAME]
ADDRESS = {"street_1": "Elbchaussee 112", "city": "Hamburg", "country": "Germany"}
ACCOUNT = Customer.objects.values().get(username=USERNAME) | ADDRESS
NUMBERS = itertools.count()
PRODUCTS = list(Product.objects.values_list("pk", flat=True))

# Codes of rules that a JSON schema cannot express.
BEYOND_SCHEMA = {
    # Depend on what exists.
    "unique",
    "does_not_exist",
    *("duplicate", "stock_out_of_bounds"),  # of two rows, and of the stock of a row
    "not_for_sale",
    "out_of_stock",  # beside a product that is not for sale
    "too_many_returned",  # beside a product that is not of the order
    "unknown_cursor",
    *("immutable", "circle", "too_many_levels", "too_many_categories"),
    # A search: no pattern describes how its words are split.
    "too_many_words",
    "idempotency_key_reused",
    "precondition_failed",
    # Passwords.
    "wrong_credentials",
    "invalid_link",
    "wrong",
    "password_too_common",
    "password_too_similar",
    "password_entirely_numeric",
    # A file: what is in it.
    *("empty_file", "unsupported_picture", "broken_picture"),
    *("animated_picture", "mixed_picture", "too_many_pixels"),
    # Numbers: with a check digit, other than the current stock, and not zero.
    "check_digit",
    "not_overwritten",
    "zero",
    # Datetimes that are out of range once converted to UTC.
    "outside_the_calendar",
    # A schema could express it, but every string would need a pattern.
    "null_characters_not_allowed",
    # Of characters beyond U+FFFF: tests/api/test_lines.py compares the patterns up to there.
    "control_characters_not_allowed",
}


@schemathesis.auth(refresh_interval=None)
class AccountAuth:
    """Sends a token of the account, and restores the account first.

    The fuzzer closes it and changes its password among everything else.
    """

    def get(self, case, context):
        Customer.objects.filter(pk=ACCOUNT["id"]).update(**ACCOUNT)
        return Token.objects.get_or_create(user_id=ACCOUNT["id"])[0].key

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Token {token}"


@schemathesis.hook
def filter_case(context, case):
    """Drop URLs and bodies of over 64 KB, which get a 414 from granian and a 413."""
    size = len(json.dumps(case.body)) if isinstance(case.body, dict | list) else 0
    return size < 60_000 and len(urlencode(case.query, doseq=True)) < 60_000


@schemathesis.hook
def map_case(context, case):
    """Replace fields of valid cases by values that exist: see `valid_fields`."""
    if case.meta.generation.mode.is_positive and "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if isinstance(case.body, dict | list):
        case.body = normalize_integers(case.body)
    if isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
        case.body |= valid_fields(case.path, case.body)
        if "Idempotency-Key" in case.headers:
            key = case.headers["Idempotency-Key"].replace('"', "")
            case.headers["Idempotency-Key"] = f'"{key[:200]}{next(NUMBERS)}"'
    return case


def valid_fields(path, body):
    """Return fields whose values must exist or be new: products, the password, a user name."""
    match path:
        case "/api/obtain-token/":
            return {"username": USERNAME, "password": PASSWORD}
        case "/api/customers/":
            password = f"{body['password'][:200]}, I say"
            return {"username": f"mira.{next(NUMBERS)}", "password": password}
        case "/api/customers/me/password/":
            password = f"{body['new_password'][:200]}, I say"
            return {"current_password": PASSWORD, "new_password": password}
        case "/api/customers/me/close/" | "/api/customers/me/":
            return {"current_password": PASSWORD}
        case "/api/products/" if body.get("sku"):
            return {"sku": f"{body['sku'][:30]}{next(NUMBERS)}"}
        case "/api/orders/" | "/api/orders/quote/" | "/api/orders/{id}/return/":
            # Without what else a link takes along from a response, which may be sent back.
            items = [available_item(item, len(body["items"])) for item in body["items"]]
            return {"items": items} | ({"customer": ACCOUNT["id"]} if "customer" in body else {})
    return {}


def available_item(item, count):
    """Return an item of an existing product, at most 10,000 pieces if all items are of it."""
    product = PRODUCTS[item["product"] % len(PRODUCTS)]
    return {"product": product, "quantity": min(item["quantity"], 10_000 // count)}


def normalize_integers(value):
    """Write whole floats as integers: JSON Schema accepts 2.0 as an integer, shopply does not."""
    match value:
        case dict():
            return {key: normalize_integers(item) for key, item in value.items()}
        case list():
            return [normalize_integers(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drop failures that follow from rules which the schema cannot express."""
    if isinstance(failure, EnsureResourceAvailability):
        # A customer who registers another cannot see that account; staff can.
        return ACCOUNT["is_staff"] or case.path != "/api/customers/{id}/"
    if isinstance(failure, AcceptedNegativeData):
        # Of forms: the bytes of a picture are no text, which the document says they are.
        return not case.path.endswith("/images/")
    if isinstance(failure, RejectedPositiveData):
        problem = response.json()
        if "U+FFFD" in problem["detail"]:
            return False  # of a form, where it stands for what is not UTF-8
        return any(
            error["code"] not in BEYOND_SCHEMA
            # The order's total is too large.
            and (error["code"], error.get("pointer")) != ("max_value", "/items")
            # A row of many products has an id or an SKU.
            and (error["code"], case.method, case.path) != ("required", "PATCH", "/api/products/")
            for error in problem.get("errors", [problem])
        )
    return True
