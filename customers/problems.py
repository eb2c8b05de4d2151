"""What the domain raises, as problems of the API."""

from contextlib import contextmanager

from customers.login_limits import LoginThrottled
from shopply.api.exceptions import ProblemException


@contextmanager
def map_login_errors():
    """Around whatever checks a password."""
    try:
        yield
    except LoginThrottled as exc:
        raise ProblemException("too_many_failures", str(exc), wait=exc.wait) from None
