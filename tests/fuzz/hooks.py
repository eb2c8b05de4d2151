"""What schemathesis cannot know of the shop: who is calling, what is there, what rules it has."""

import itertools
import json
import os
from urllib.parse import urlencode

import django
import schemathesis
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
AS_IT_WAS = Customer.objects.values().get(username=USERNAME) | ADDRESS
NUMBERS = itertools.count()
PRODUCTS = list(Product.objects.values_list("pk", flat=True))

# Codes of the rules that no JSON schema can tell of.
BEYOND_SCHEMA = {
    # What is there already, or is not.
    "unique",
    "does_not_exist",
    "unknown_cursor",
    # A search: how its words are told apart is no matter of a pattern.
    "too_many_words",
    "idempotency_key_reused",
    # Passwords.
    "authorization",
    "wrong",
    "password_too_common",
    "password_too_similar",
    "password_entirely_numeric",
    # Numbers: not the stock there is, not zero.
    "not_overwritten",
    "zero",
    # Moments that have a date in their own time zone, and none in UTC.
    "outside_the_calendar",
    # It could be told, but as a pattern that every text would have to bear.
    "null_characters_not_allowed",
}


@schemathesis.auth(refresh_interval=None)
class AsItWas:
    """Sends a token of the account, which is put back first as it was.

    The fuzzer closes it and changes its password, as it does everything else.
    """

    def get(self, case, context):
        Customer.objects.filter(pk=AS_IT_WAS["id"]).update(**AS_IT_WAS)
        return Token.objects.get_or_create(user_id=AS_IT_WAS["id"])[0].key

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Token {token}"


@schemathesis.hook
def filter_case(context, case):
    """Drop addresses and bodies of over 64 KB, which are a 414 of granian's and a 413."""
    body = len(json.dumps(case.body)) if isinstance(case.body, dict | list) else 0
    return body < 60_000 and len(urlencode(case.query, doseq=True)) < 60_000


@schemathesis.hook
def map_case(context, case):
    """Good data may be more than well formed: see `filled`."""
    if isinstance(case.body, dict):
        case.body = whole(case.body)
        if case.meta.generation.mode.is_positive:
            case.body |= filled(case.path, case.body)
            if "Idempotency-Key" in case.headers:
                key = case.headers["Idempotency-Key"].replace('"', "")
                case.headers["Idempotency-Key"] = f'"{key[:200]}{next(NUMBERS)}"'
    return case


def filled(path, body):
    """Fields with what is there, or is not: products, the right password, a new name."""
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
        case "/api/orders/" | "/api/orders/quote/":
            return {"items": [line | supply(line, len(body["items"])) for line in body["items"]]}
    return {}


def supply(line, lines):
    """A product that exists, and no more than 10,000 pieces should all lines be of it."""
    product = PRODUCTS[line["product"] % len(PRODUCTS)]
    return {"product": product, "quantity": min(line["quantity"], 10_000 // lines)}


def whole(value):
    """To JSON Schema 2.0 is an integer; shopply wants it written as one."""
    match value:
        case dict():
            return {key: whole(each) for key, each in value.items()}
        case list():
            return [whole(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drop what only follows from rules that the schema cannot tell."""
    if isinstance(failure, EnsureResourceAvailability):
        # Whoever registers another does not see their account, unless they are staff.
        return AS_IT_WAS["is_staff"] or case.path != "/api/customers/{id}/"
    if isinstance(failure, RejectedPositiveData):
        errors = response.json().get("errors", [])
        return not errors or any(
            error["code"] not in BEYOND_SCHEMA
            # The order comes to more than the shop can count.
            and (error["code"], error.get("pointer")) != ("max_value", "/items")
            for error in errors
        )
    return True
