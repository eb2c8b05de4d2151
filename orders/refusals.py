"""What the domain refuses, as answers that point into the body of the request."""

from contextlib import contextmanager

from rest_framework import exceptions

from orders.managers import CustomerInactive, KeyReused, OrderLimitReached
from orders.models import MAX_TOTAL, AddressMissing, PriceChanged, TotalTooLarge
from orders.serializers import QuoteSerializer
from products.managers import OutOfStock, UnknownProducts
from shopply.api.exceptions import ProblemException


@contextmanager
def refusals_told(lines):
    """Tell why an order is refused, pointing into `lines`, the `items` of the request's body."""
    first = {}
    for index, line in enumerate(lines):
        first.setdefault(line["product"], index)
    try:
        yield
    except UnknownProducts as exc:
        errors = [{} for _ in lines]
        for pk in exc.ids:
            errors[first[pk]] = {"product": f"No product has the id {pk}."}
        raise exceptions.ValidationError({"items": errors}, "does_not_exist") from None
    except OutOfStock as exc:
        raise ProblemException(
            "out_of_stock",
            how_many(len(exc.shortages), len(first)),
            errors=sorted(
                (shortage(short, first[short.product.pk]) for short in exc.shortages),
                key=lambda error: first[error["product"]],
            ),
            suggested_items=[
                {"product": pk, "quantity": quantity} for pk, quantity in exc.available.items()
            ],
        ) from None
    except PriceChanged as exc:
        quote = QuoteSerializer(exc.order).data
        raise ProblemException(
            "price_changed",
            f"The order comes to {quote['total_price']} {quote['currency']} now.",
            total_price=quote["total_price"],
            items=quote["items"],
        ) from None
    except OrderLimitReached as exc:
        raise ProblemException("order_limit_reached", str(exc)) from None
    except TotalTooLarge:
        message = f"The order comes to more than {MAX_TOTAL:,}."
        raise exceptions.ValidationError({"items": [message]}, "max_value") from None
    except AddressMissing as exc:
        message = (
            f"Your profile lacks {', '.join(exc.fields)}: send a shipping_address, "
            "or complete your profile."
        )
        raise exceptions.ValidationError({"shipping_address": [message]}, "required") from None
    except CustomerInactive:
        raise exceptions.AuthenticationFailed("The account is closed.") from None
    except KeyReused:
        raise ProblemException(
            "idempotency_key_reused",
            "You placed another order with this Idempotency-Key.",
            errors=[
                {
                    "header": "Idempotency-Key",
                    "code": "idempotency_key_reused",
                    "detail": "Make a new key for a new order.",
                }
            ],
        ) from None


def how_many(short, asked):
    if short < asked:
        return f"{short} of {asked} items cannot be supplied."
    if asked == 1:
        return "The item cannot be supplied."
    return f"None of the {asked} items can be supplied."


def shortage(short, index):
    left = f"only {short.available} left" if short.available else "none left"
    if not short.product.is_active:
        left = "no longer for sale"
    return {
        "pointer": f"/items/{index}/quantity",
        "code": "out_of_stock",
        "detail": f"{short.product.name}: {left}.",
        "product": short.product.pk,
        "requested": short.requested,
        "available": short.available,
        "unit_price": str(short.product.price),
    }
