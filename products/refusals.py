"""How a view refuses what the domain refused."""

from rest_framework import exceptions


class Refusal(exceptions.APIException):
    """A problem of the given code; `members` are added to its document."""

    def __init__(self, status, code, detail, **members):
        super().__init__(detail, code)
        self.status_code = status
        self.members = members
