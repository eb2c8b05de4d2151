"""Errors of log-ins and exports, as problems of the API."""

from contextlib import contextmanager

from customers.login_limits import LoginThrottled
from shopply.api.exceptions import ProblemException
from shopply.api.slots import Busy


@contextmanager
def map_login_errors():
    """Wrap code that hashes a password."""
    with map_busy():
        try:
            yield
        except LoginThrottled as exc:
            raise ProblemException("too_many_failures", str(exc), wait=exc.wait) from None


@contextmanager
def map_busy():
    """Wrap code that takes a slot."""
    try:
        yield
    except Busy as exc:
        raise ProblemException("service_unavailable", str(exc), wait=1) from None
