"""What the judge finds, in four kinds. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong.

    ``lost``: it was said, and the CRM does not show it. ``doubled``: it was said once, and the CRM shows it twice.
    ``out of order``: the CRM showed something older after something newer. ``astray``: the CRM shows what nobody said
    of this case, or shows it where it does not belong.
    """

    LOST = "lost"
    DOUBLED = "doubled"
    OUT_OF_ORDER = "out of order"
    ASTRAY = "astray"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``report`` is the upstream's number; ``what`` never holds a personal value."""

    kind: Kind
    report: str
    what: str

    def __str__(self) -> str:
        """One line for a human."""
        return f"{self.kind.value}: report {self.report}: {self.what}"
