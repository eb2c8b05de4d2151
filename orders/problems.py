"""Errors of placing an order, as problems that point into the body of the request."""

from contextlib import contextmanager

from rest_framework import exceptions

from orders.managers import CustomerInactive, OrderLimitReached
from orders.models import MAX_TOTAL, IncompleteAddress, PriceChanged, TotalTooLarge
from orders.serializers import QuoteSerializer
from products.managers import IdempotencyKeyReused, OutOfStock, UnknownProducts
from shopply.api.exceptions import ProblemException
from shopply.api.idempotency import key_reused


@contextmanager
def map_order_errors(items):
    """Raise what `Order.objects.place` raises as problems.

    `items` are those of the request's body, into which the problems point.
    """
    first = {}
    for index, item in enumerate(items):
        first.setdefault(item["product"], index)
    try:
        yield
    except UnknownProducts as exc:
        errors = [{} for _ in items]
        for pk in exc.ids:
            errors[first[pk]] = {"product": f"No product has the id {pk}."}
        raise exceptions.ValidationError({"items": errors}, "does_not_exist") from None
    except OutOfStock as exc:
        raise ProblemException(
            "out_of_stock",
            shortage_summary(len(exc.shortages), len(first)),
            errors=sorted(
                (shortage_error(shortage, first) for shortage in exc.shortages),
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
    except IncompleteAddress as exc:
        message = (
            f"Your profile lacks {', '.join(exc.fields)}: send a shipping_address, "
            "or complete your profile."
        )
        raise exceptions.ValidationError({"shipping_address": [message]}, "required") from None
    except CustomerInactive:
        raise exceptions.AuthenticationFailed("The account is closed.") from None
    except IdempotencyKeyReused:
        raise key_reused() from None


def shortage_summary(short_count, requested_count):
    if short_count < requested_count:
        return f"{short_count} of {requested_count} items cannot be supplied."
    if requested_count == 1:
        return "The item cannot be supplied."
    return f"None of the {requested_count} items can be supplied."


def shortage_error(shortage, indexes):
    """Return the entry of `errors` for a StockShortage; `indexes` has the items' by product id."""
    product = shortage.product
    left = f"only {shortage.available} left" if shortage.available else "none left"
    if not product.is_active:
        left = "no longer for sale"
    return {
        "pointer": f"/items/{indexes[product.pk]}/quantity",
        "code": "out_of_stock",
        "detail": f"{product.name}: {left}.",
        "product": product.pk,
        "requested": shortage.requested,
        "available": shortage.available,
        "unit_price": str(product.price),
    }
