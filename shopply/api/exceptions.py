"""What a view raises to answer with a problem of the registry."""

from rest_framework.exceptions import APIException

from shopply.api.problem_types import PROBLEM_TYPES


class ProblemException(APIException):
    """The problem `code` of PROBLEM_TYPES, which gives the status and, by default, the detail.

    `wait`, in seconds, is sent as Retry-After; `members` (such as `errors`) are added to the
    problem document as they are.
    """

    def __init__(self, code, detail=None, *, wait=None, **members):
        super().__init__(detail or PROBLEM_TYPES[code].meaning, code)
        self.status_code = PROBLEM_TYPES[code].status
        self.wait = wait
        self.members = members
