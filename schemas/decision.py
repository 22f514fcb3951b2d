"""What the routing rules decided for a case, and which rule it was."""

from enum import StrEnum

from schemas.base import Duration, Identifier, Model
from schemas.text import Language


class Priority(StrEnum):
    """How urgent a case is for the city."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Decision(Model):
    """Who gets a case, as what and until when. ``within`` is the time allowed from the moment it was reported."""

    case_type: Identifier
    department: Identifier
    priority: Priority = Priority.NORMAL
    within: Duration | None = None
    destination: Identifier
    tags: tuple[Identifier, ...] = ()
    language: Language | None = None
    rule: Identifier
    rules_version: Identifier
