"""What delivery keeps with a case: each door's last view, what the CRM was given, and how it was routed."""

from collections.abc import Mapping

from schemas.base import Identifier, Instant, Model
from schemas.case import CaseFacts, Kind
from schemas.decision import Decision
from schemas.place import NisCode


class DoorView(Model):
    """The last thing that one door said, and the moment in the source's own time that it speaks of."""

    observed_at: Instant | None = None
    facts: CaseFacts


class CaseState(Model):
    """A case as it stands in the CRM after the last delivery. It holds personal data and goes when the bodies go.

    ``notes`` and ``attachments`` are the keys of those that the CRM holds; ``routed_by`` are the facts that the
    decision rests on.
    """

    source: Identifier
    tenant: NisCode | None = None
    kind: Kind
    views: Mapping[str, DoorView]
    notes: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    decision: Decision
    routed_by: str
    test: bool = False
