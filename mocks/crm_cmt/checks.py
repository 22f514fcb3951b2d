"""Building blocks of checks: a check looks at a JSON value and says what is wrong with it, or nothing.

Written by hand because the intake is also the load target of measurements: nothing is allocated for what is right.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final

from mocks.crm_cmt.problems import Invalid

Check = Callable[[Any], list[Invalid] | None]
"""What is wrong with a value, the paths relative to it; None where nothing is."""

_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|\+00:00)", re.ASCII)


def wrong(code: str, reason: str) -> list[Invalid]:
    """One thing wrong with the value itself."""
    return [("", code, reason)]


def below(name: str | int, faults: list[Invalid]) -> list[Invalid]:
    """The faults of a member or an item, with paths that start at what holds it."""
    return [(f"{name}.{path}" if path else str(name), code, reason) for path, code, reason in faults]


def text(longest: int, pattern: str | None = None) -> Check:
    """A text of 1 to ``longest`` characters that matches ``pattern`` as a whole."""
    matches = re.compile(pattern, re.ASCII).fullmatch if pattern else None

    def check(value: Any) -> list[Invalid] | None:
        if type(value) is not str:
            return wrong("type", "Must be a text.")
        if not value:
            return wrong("too_short", "May not be empty.")
        if len(value) > longest:
            return wrong("too_long", f"At most {longest} characters.")
        if matches and not matches(value):
            return wrong("format", "Is not of the form required.")
        return not_storable(value)

    return check


def not_storable(value: str) -> list[Invalid] | None:
    """What keeps a text from being stored at all."""
    if "\0" in value:
        return wrong("nul", "May not hold U+0000.")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        return wrong("format", "May not hold half of a surrogate pair.")
    return None


def one_of(values: Collection[str]) -> Check:
    """One of a closed list of words."""

    def check(value: Any) -> list[Invalid] | None:
        if type(value) is not str:
            return wrong("type", "Must be a text.")
        return None if value in values else wrong("unknown_value", "Not one of the values of this intake.")

    return check


def or_null(inner: Check) -> Check:
    """What ``inner`` takes, or null."""
    return lambda value: None if value is None else inner(value)


def number(smallest: float, largest: float) -> Check:
    """A number within bounds, both included."""

    def check(value: Any) -> list[Invalid] | None:
        if type(value) is not int and type(value) is not float:
            return wrong("type", "Must be a number.")
        return None if smallest <= value <= largest else wrong("out_of_range", f"From {smallest:g} to {largest:g}.")

    return check


def whole_number(smallest: int, largest: int) -> Check:
    """A whole number within bounds, both included."""

    def check(value: Any) -> list[Invalid] | None:
        if type(value) is not int:
            return wrong("type", "Must be a whole number.")
        return None if smallest <= value <= largest else wrong("out_of_range", f"From {smallest} to {largest}.")

    return check


def boolean(value: Any) -> list[Invalid] | None:
    """True or false."""
    return None if type(value) is bool else wrong("type", "Must be true or false.")


def moment(value: Any) -> list[Invalid] | None:
    """A date and time in UTC, RFC 3339."""
    if type(value) is not str:
        return wrong("type", "Must be a text.")
    if _MOMENT.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return None
    return wrong("format", "Must be a date and time in UTC, RFC 3339.")


def items(longest: int, inner: Check, shortest: int = 0) -> Check:
    """An array of ``shortest`` to ``longest`` items."""

    def check(value: Any) -> list[Invalid] | None:
        if type(value) is not list:
            return wrong("type", "Must be an array.")
        if len(value) < shortest:
            return wrong("too_few", f"At least {shortest} items.")
        if len(value) > longest:
            return wrong("too_many", f"At most {longest} items.")
        faults: list[Invalid] = []
        for position, item in enumerate(value):
            found = inner(item)
            if found:
                faults += below(position, found)
        return faults or None

    return check


def members(known: Mapping[str, Check], required: Collection[str] = (), one_required: Collection[str] = ()) -> Check:
    """An object of these members and no others; of ``one_required`` at least one is there."""

    def check(value: Any) -> list[Invalid] | None:
        if type(value) is not dict:
            return wrong("type", "Must be an object.")
        faults: list[Invalid] = []
        for name, item in value.items():
            inner = known.get(name)
            found = inner(item) if inner else wrong("unknown_field", "The contract has no such member.")
            if found:
                faults += below(name, found)
        for name in required:
            if name not in value:
                faults.append((name, "required", "Must be given."))
        if one_required and not any(name in value for name in one_required):
            faults += wrong("required", f"At least one of {', '.join(one_required)} must be given.")
        return faults or None

    return check


def free_object(value: Any) -> list[Invalid] | None:
    """An object of anything, as long as its texts can be stored."""
    return free(value) if type(value) is dict else wrong("type", "Must be an object.")


def free(value: Any) -> list[Invalid] | None:
    """Anything, as long as its texts can be stored."""
    if type(value) is str:
        return not_storable(value)
    if type(value) is float and not isfinite(value):
        return wrong("out_of_range", "Larger than a number can be.")
    if type(value) is dict:
        for name, item in value.items():
            found = not_storable(name) or free(item)
            if found:
                return below(name.encode("ascii", "replace").decode().replace("\0", "?"), found)
    elif type(value) is list:
        for position, item in enumerate(value):
            found = free(item)
            if found:
                return below(position, found)
    return None
