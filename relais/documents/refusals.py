"""Every answer of the webhooks that is not 200, in the words of the document about them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of a webhook that is not 200: its status, the word at the end of its ``type``, and when it comes."""

    status: int
    slug: str
    when: str
    detail: str | None
    come_again: bool = False


REFUSALS: Final = (
    Refusal(400, "malformed-json", "The body is not sound JSON.", "a name is given twice"),
    Refusal(400, "disconnected", "The sender went away before the end of the body.", "the sender went away"),
    Refusal(
        401,
        "not-authenticated",
        "The signature or the token is wrong or missing.",
        "the signature or the token is wrong or missing",
    ),
    Refusal(404, "not-found", "There is no such source or door.", "no such thing here"),
    Refusal(405, "method-not-allowed", "A webhook takes POST alone.", "no such thing here"),
    Refusal(408, "request-timeout", "The request line and the headers did not come in time.", None),
    Refusal(408, "body-too-slow", "The body did not come within ten seconds.", "the body did not come in time"),
    Refusal(413, "body-too-large", "The body is larger than the source's limit.", "at most 1048576 bytes are accepted"),
    Refusal(431, "request-header-fields-too-large", "The request line and the headers are too large.", None),
    Refusal(500, "internal-error", "A fault of ours; nothing was stored.", "the event was not accepted"),
    Refusal(
        500, "not-storable", "The ledger will not take this event; nothing was stored.", "the event cannot be stored"
    ),
    Refusal(
        503,
        "ledger-away",
        "The ledger cannot be used; nothing was stored.",
        "nothing was stored, come again",
        come_again=True,
    ),
    Refusal(
        503,
        "busy",
        "Too much is waiting for its commit, or on its way.",
        "too much is waiting, come again",
        come_again=True,
    ),
)
"""Every answer of the webhooks but 200; a test compares them with the code."""
