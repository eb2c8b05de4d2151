"""Exceptions of the domain as problems."""

from contextlib import contextmanager

from django.db.models import ProtectedError
from rest_framework.exceptions import ErrorDetail, ValidationError

from products.categories import Category
from products.images import MAX_IMAGES, TooManyImages
from products.managers import IdempotencyKeyReused, RevisionChanged
from products.models import StockOutOfBounds
from products.pictures import InvalidPicture
from shopply.api.exceptions import ProblemException
from shopply.api.idempotency import key_reused
from shopply.api.preconditions import precondition_failed
from shopply.api.slots import Busy


def stock_out_of_bounds(exc, pointer):
    """Return the problem of a StockOutOfBounds."""
    entry = {"pointer": pointer, "code": "stock_out_of_bounds", "detail": str(exc)}
    return ProblemException("stock_out_of_bounds", str(exc), errors=[entry])


@contextmanager
def map_product_errors(stock_pointer="/quantity_in_stock"):
    """Raise what verbs raise as problems; `stock_pointer` is the field that changes the stock."""
    try:
        yield
    except StockOutOfBounds as exc:
        raise stock_out_of_bounds(exc, stock_pointer) from None
    except RevisionChanged:
        raise precondition_failed() from None
    except IdempotencyKeyReused:
        raise key_reused() from None
    except InvalidPicture as exc:
        raise ValidationError({"file": [ErrorDetail(str(exc), exc.code)]}) from None
    except TooManyImages:
        detail = f"A product has at most {MAX_IMAGES} pictures."
        raise ProblemException("too_many_images", detail) from None
    except Busy as exc:
        raise ProblemException("service_unavailable", str(exc), wait=1) from None
    except ProtectedError as exc:
        if any(isinstance(row, Category) for row in exc.protected_objects):
            raise ProblemException("category_in_use") from None
        raise ProblemException(
            "product_in_use", "This product was ordered: retire it with `is_active` false instead."
        ) from None
