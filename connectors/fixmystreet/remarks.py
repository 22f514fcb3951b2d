"""Remarks gathered while something is translated."""

from collections.abc import Iterable
from typing import Final

from schemas.case import Remark

MOST_NAMES: Final = 20
LONGEST_NAME: Final = 120


class Remarks:
    """What is odd about one event: stable codes and names of fields, never values."""

    def __init__(self) -> None:
        self._remarks: dict[Remark, None] = {}

    def add(self, code: str, field: str | None = None, detail: str | None = None) -> None:
        """Remark something; the same remark twice is one."""
        self._remarks.setdefault(Remark(code=code, field=field, detail=detail))

    def add_all(self, remarks: Iterable[Remark]) -> None:
        """Add remarks that were made before."""
        for remark in remarks:
            self._remarks.setdefault(remark)

    def add_each(self, code: str, fields: Iterable[str]) -> None:
        """Remark the same of several fields of the source, the first twenty.

        A name that does not look like one is left out: somebody's data may stand where a name should.
        """
        for number, name in enumerate(fields):
            if number == MOST_NAMES:
                self.add(code, detail="and others")
                return
            is_a_name = name.isascii() and name.replace(".", "").replace("_", "").isalpha()
            self.add(code, name if is_a_name and len(name) <= LONGEST_NAME else None)

    def all(self) -> tuple[Remark, ...] | None:
        """The remarks in the order in which they were made, ``None`` without any."""
        return tuple(self._remarks) or None
