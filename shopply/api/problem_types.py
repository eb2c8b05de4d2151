"""The registry of stable error codes, read from `problem_types.toml` and `error_codes.toml`."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    status: int
    title: str
    meaning: str
    hint: str
    members: dict = field(default_factory=dict)


def read_registry(name):
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


PROBLEM_TYPES = {
    code: ProblemType(**fields) for code, fields in read_registry("problem_types.toml").items()
}
# The codes of the entries in `errors`, and what each means.
ERROR_CODES = read_registry("error_codes.toml")


def problem_document(code, url, request_id, detail=None, **members):
    """Return the problem document (RFC 9457) of a code, whose page is at `url`.

    `detail` defaults to the meaning of the code; `members` (such as `errors`) are added.
    """
    problem_type = PROBLEM_TYPES[code]
    return {
        "type": url,
        "title": problem_type.title,
        "status": problem_type.status,
        "code": code,
        "detail": detail or problem_type.meaning,
        "request_id": request_id,
        **members,
    }
