"""The errors of the intake, each as the problem that the contract names."""

import json
from typing import Any, Final

from mocks.crm_cmt.vocabulary import MAX_INVALID_PARAMS

PROBLEM_TYPE: Final = "urn:crm-cmt:problem:"

PROBLEMS: Final[dict[str, tuple[int, str]]] = {
    "invalid-json": (400, "The body is not JSON"),
    "invalid-query": (400, "The query is not acceptable"),
    "idempotency-key-required": (400, "An Idempotency-Key of 1 to 200 visible characters is required"),
    "same-case-twice": (400, "A batch may name a case once"),
    "unauthorized": (401, "No valid token"),
    "forbidden": (403, "The token lacks the right"),
    "not-found": (404, "There is nothing at this address"),
    "case-not-found": (404, "There is no case of that id"),
    "method-not-allowed": (405, "This address does not do that"),
    "case-exists": (409, "The reference is taken"),
    "stale-version": (409, "The stored version is the same or newer"),
    "etag-mismatch": (412, "The case has changed since"),
    "too-large": (413, "The body is too large"),
    "batch-too-large": (413, "Too many items in one batch"),
    "unsupported-media-type": (415, "The body is of another media type"),
    "invalid-field": (422, "A field is not acceptable"),
    "idempotency-key-reused": (422, "The key was used for another write"),
    "precondition-required": (428, "If-Match is required"),
    "too-many-requests": (429, "Too many requests"),
    "internal-error": (500, "Something broke"),
    "unavailable": (503, "Closed for now"),
}
"""Each slug with its status and its title."""

Invalid = tuple[str, str, str]
"""One thing wrong: the field as a dotted path, the code, the reason in words."""


class ProblemError(Exception):
    """What the intake answers instead of doing what was asked."""

    def __init__(self, slug: str, detail: str | None = None, **extensions: Any) -> None:
        super().__init__(slug)
        self.slug = slug
        self.status, self.title = PROBLEMS[slug]
        self.detail = detail
        self.extensions = extensions

    def body(self) -> dict[str, Any]:
        """The problem as JSON-like data."""
        problem: dict[str, Any] = {"type": PROBLEM_TYPE + self.slug, "title": self.title, "status": self.status}
        if self.detail is not None:
            problem["detail"] = self.detail
        return {**problem, **self.extensions}


def invalid_field(faults: list[Invalid]) -> ProblemError:
    """The problem that lists what is wrong with which field."""
    listed = [{"name": name, "code": code, "reason": reason} for name, code, reason in faults[:MAX_INVALID_PARAMS]]
    return ProblemError("invalid-field", invalidParams=listed)


def problem_for_status(status: int) -> bytes:
    """The body of an error that says no more than its status; the last slug of a status stands for it."""
    slug = [slug for slug, (known, _) in PROBLEMS.items() if known == status][-1]
    return json.dumps(ProblemError(slug).body()).encode()
