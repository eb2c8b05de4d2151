"""Errors of the verbs of orders, as problems that point into the body of the request."""

from contextlib import contextmanager

from rest_framework import exceptions

from orders.items import TooManyReturned
from orders.managers import CustomerInactive, EmailUnconfirmed, OrderLimitReached
from orders.models import MAX_TOTAL, IncompleteAddress, PriceChanged, TotalTooLarge
from orders.serializers import QuoteSerializer
from orders.transitions import IllegalTransition, TransitionNotAllowed
from products.managers import IdempotencyKeyReused, NotForSale, OutOfStock
from shopply.api.exceptions import ProblemException
from shopply.api.idempotency import key_reused
from shopply.api.money import format_money
from shopply.api.permissions import denial


def first_indexes(items):
    """Return `{product id: index}` of the first item of each product."""
    first = {}
    for index, item in enumerate(items):
        first.setdefault(item["product"], index)
    return first


@contextmanager
def map_order_errors(request):
    """Raise what `Order.objects.place` raises as problems that point into the request's body."""
    first = first_indexes(request.data["items"])
    try:
        yield
    except OutOfStock as exc:
        ids = exc.ids if isinstance(exc, NotForSale) else []
        errors = [not_for_sale_error(pk, first) for pk in ids]
        errors += [shortage_error(shortage, first) for shortage in exc.shortages]
        raise ProblemException(
            "validation_error" if ids else "out_of_stock",
            shortage_summary(len(errors), len(first)),
            errors=sorted(errors, key=lambda error: first[error["product"]]),
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
    except EmailUnconfirmed:
        raise ProblemException("email_unconfirmed") from None
    except TotalTooLarge:
        message = f"The order comes to more than {MAX_TOTAL:,}."
        raise exceptions.ValidationError({"items": [message]}, "max_value") from None
    except IncompleteAddress as exc:
        message = (
            f"The profile lacks {', '.join(exc.fields)}: send a shipping_address, "
            "or complete the profile."
        )
        raise exceptions.ValidationError(
            {"shipping_address": [message]}, "incomplete_address"
        ) from None
    except CustomerInactive:
        if request.data.get("customer") not in (None, request.user.pk):
            message = "The account is closed."
            raise exceptions.ValidationError({"customer": [message]}, "does_not_exist") from None
        raise exceptions.AuthenticationFailed("The account is closed.") from None
    except IdempotencyKeyReused:
        raise key_reused() from None


@contextmanager
def map_verb_errors(request):
    """Raise what the verbs of an Order raise as problems."""
    try:
        yield
    except TransitionNotAllowed:
        detail = denial(request.user, "orders.change_order") or "Only the shop's staff can do this."
        raise exceptions.PermissionDenied(detail) from None
    except IllegalTransition as exc:
        raise ProblemException("illegal_transition", str(exc)) from None
    except TooManyReturned as exc:
        first = first_indexes(request.data["items"])
        errors = [return_error(pk, left, first[pk]) for pk, left in exc.left.items()]
        is_ordered = None not in exc.left.values()
        code = "too_many_returned" if is_ordered else "validation_error"
        raise ProblemException(code, errors=errors) from None
    except IdempotencyKeyReused:
        raise key_reused() from None


def return_error(pk, left, index):
    """Return the entry of `errors` for a product of which only `left` pieces can come back."""
    if left is None:
        return {
            "pointer": f"/items/{index}/product",
            "code": "does_not_exist",
            "detail": f"Product {pk} is not on this order.",
        }
    return {
        "pointer": f"/items/{index}/quantity",
        "code": "too_many_returned",
        "detail": f"Only {left} can come back." if left else "All of it came back already.",
    }


def shortage_summary(short_count, requested_count):
    if short_count < requested_count:
        return f"{short_count} of {requested_count} items cannot be supplied."
    if requested_count == 1:
        return "The item cannot be supplied."
    return f"None of the {requested_count} items can be supplied."


def not_for_sale_error(pk, indexes):
    """Return the entry of `errors` for a product that is retired, or that there is not.

    It says nothing of the product: what the shop does not sell yet is nobody's business.
    """
    return {
        "pointer": f"/items/{indexes[pk]}/product",
        "code": "not_for_sale",
        "detail": f"Product {pk} is not for sale.",
        "product": pk,
    }


def shortage_error(shortage, indexes):
    """Return the entry of `errors` for a StockShortage; `indexes` has the items' by product id."""
    product = shortage.product
    left = f"only {shortage.available} left" if shortage.available else "none left"
    return {
        "pointer": f"/items/{indexes[product.pk]}/quantity",
        "code": "out_of_stock",
        "detail": f"{product.name}: {left}.",
        "product": product.pk,
        "requested": shortage.requested,
        "available": shortage.available,
        "unit_price": format_money(product.price),
    }
