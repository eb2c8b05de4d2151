"""The registry of stable error codes, read from `problem_types.toml`."""

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


REGISTRY = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
PROBLEM_TYPES = {code: ProblemType(**fields) for code, fields in tomllib.loads(REGISTRY).items()}


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
