"""What is wrong in a file of rules: where, what and how to put it right."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: ``line`` counts from 1, ``code`` is stable, ``problem`` and ``remedy`` are for a human."""

    file: str
    line: int
    code: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem} [{self.code}]. {self.remedy}"


class InvalidRulesError(Exception):
    """Rules that cannot be used; ``faults`` holds everything that was found, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))
