"""Exceptions of the domain as problems."""

from contextlib import contextmanager

from django.db.models import ProtectedError

from products.managers import IdempotencyKeyReused
from products.models import RevisionChanged, StockOutOfBounds
from shopply.api.exceptions import ProblemException
from shopply.api.idempotency import key_reused
from shopply.api.preconditions import precondition_failed


@contextmanager
def map_product_errors():
    try:
        yield
    except StockOutOfBounds as exc:
        detail = f"There are {exc.stock:,} in stock."
        raise ProblemException("stock_out_of_bounds", detail) from None
    except RevisionChanged:
        raise precondition_failed() from None
    except IdempotencyKeyReused:
        raise key_reused() from None
    except ProtectedError:
        raise ProblemException(
            "product_in_use", "This product was ordered: retire it with `is_active` false instead."
        ) from None
