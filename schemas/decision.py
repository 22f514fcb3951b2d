"""What the routing rules decided for a case, and which rule it was."""

from datetime import timedelta
from enum import StrEnum

from schemas.base import Identifier, Model
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
    within: timedelta | None = None
    destination: Identifier
    tags: tuple[Identifier, ...] = ()
    language: Language | None = None
    rule: Identifier
    rules_version: Identifier
