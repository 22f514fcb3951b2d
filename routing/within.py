"""How the time allowed for a case is written in a rule."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

WORDS_PATTERN: Final = r"^[1-9][0-9]{0,3} (minute|hour|day|week)s?$"
ISO_PATTERN: Final = r"^P(?=[0-9T])([0-9]{1,4}W)?([0-9]{1,4}D)?(T(?=[0-9])([0-9]{1,4}H)?([0-9]{1,4}M)?)?$"
_WORDS: Final = re.compile(WORDS_PATTERN)
_ISO: Final = re.compile(ISO_PATTERN)


def duration_of(written: object) -> timedelta:
    """The time that ``2 days``, ``4 hours`` or an ISO 8601 duration such as ``P2DT12H`` stands for.

    Days are calendar days of 24 hours. Months and years are refused, because their length depends on the date.
    Raises ValueError for anything else, and for no time at all.
    """
    if isinstance(written, timedelta):
        duration = written
    elif isinstance(written, str) and _WORDS.fullmatch(written):
        number, unit = written.split()
        duration = timedelta(**{unit.removesuffix("s") + "s": int(number)})
    elif isinstance(written, str) and (parts := _ISO.fullmatch(written)):
        weeks, days, _, hours, minutes = (int(re.sub(r"\D", "", part or "") or 0) for part in parts.groups())
        duration = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    else:
        raise ValueError("is not a time such as '2 days', '4 hours' or 'P2DT12H'")
    if duration <= timedelta(0):
        raise ValueError("allows no time at all")
    return duration


def written(duration: timedelta) -> str:
    """The time in words, in the largest unit that needs no fraction."""
    minutes = round(duration.total_seconds() / 60)
    for unit, length in (("day", 1440), ("hour", 60)):
        if minutes % length == 0:
            return _counted(minutes // length, unit)
    return _counted(minutes, "minute")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


Within = Annotated[
    timedelta,
    BeforeValidator(duration_of),
    PlainSerializer(written, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"pattern": WORDS_PATTERN}, {"pattern": ISO_PATTERN}],
            "examples": ["4 hours", "2 days", "P2DT12H"],
        }
    ),
]
"""The time allowed from the moment a case was reported."""
