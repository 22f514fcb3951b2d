"""Their times: naive local time of Brussels (Gen 1) or with an offset, onto moments in UTC."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from connectors.fixmystreet.remarks import Remarks

BRUSSELS: Final = "Europe/Brussels"
_LONGEST: Final = 35  # the longest that the pattern below matches
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)


def moment_from(text: str | None) -> datetime | None:
    """The moment that a text names, in UTC, ``None`` where it names none between the years 1900 and 2200."""
    return _reading(text)[0] if text else None


def remarked_moment_from(text: str | None, field: str, remarks: Remarks) -> datetime | None:
    """The same, remarking what cannot be read and what the change of clocks leaves open.

    An hour that happens twice is taken as the first of the two, one that is skipped as if summer had not begun.
    """
    if not text:
        return None
    moment, trouble = _reading(text)
    if trouble:
        remarks.add(trouble, field)
    return moment


def _reading(text: str) -> tuple[datetime | None, str | None]:
    # What is too long for a time would only fill the memory of what was read before.
    return _remembered(text) if len(text) <= _LONGEST else (None, "time_unreadable")


@lru_cache(maxsize=4096)
def _remembered(text: str) -> tuple[datetime | None, str | None]:
    """The moment in UTC, and the code of what is remarkable about it.

    Remembered, because one event says the same time in several places.
    """
    moment = _local(text)
    if moment is None:
        return None, "time_unreadable"
    if moment.tzinfo:
        return moment.astimezone(UTC), None
    local = moment.replace(tzinfo=ZoneInfo(BRUSSELS))
    first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
    trouble = None
    if first is not None and second is not None and first != second:
        # Where clocks go back the first reading has the larger offset, where they skip an hour the smaller one.
        trouble = "time_ambiguous" if first > second else "time_skipped"
    return local.astimezone(UTC), trouble


def _local(text: str) -> datetime | None:
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if 1900 < moment.year < 2200 else None


def day_from(text: str | None) -> date | None:
    """The day in Brussels that a text's moment falls on."""
    moment = moment_from(text)
    return None if moment is None else brussels_day(moment)


def brussels_day(moment: datetime) -> date:
    """The day in Brussels that a moment falls on."""
    return moment.astimezone(ZoneInfo(BRUSSELS)).date()
