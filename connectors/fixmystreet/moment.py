"""Their times: naive local time of Brussels (Gen 1) or with an offset, onto moments in UTC."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from connectors.fixmystreet.remarks import Remarks

BRUSSELS: Final = "Europe/Brussels"
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)


@lru_cache(maxsize=4096)
def moment_from(text: str | None) -> datetime | None:
    """The moment that a text names, in UTC, ``None`` where it names none between the years 1900 and 2200."""
    local = _local(text)
    return None if local is None else local.astimezone(UTC)


def remarked_moment_from(text: str | None, field: str, remarks: Remarks) -> datetime | None:
    """The same, remarking what cannot be read and what the change of clocks leaves open.

    An hour that happens twice is taken as the first of the two, one that is skipped as if summer had not begun.
    """
    local = _local(text)
    if local is None:
        if text:
            remarks.add("time_unreadable", field)
        return None
    if isinstance(local.tzinfo, ZoneInfo):
        first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
        if first is not None and second is not None and first != second:
            # Where clocks go back the first reading has the larger offset, where they skip an hour the smaller one.
            remarks.add("time_ambiguous" if first > second else "time_skipped", field)
    return local.astimezone(UTC)


def _local(text: str | None) -> datetime | None:
    if text is None or not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1900 < moment.year < 2200:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(BRUSSELS))


def day_from(text: str | None) -> date | None:
    """The day in Brussels that a text's moment falls on."""
    moment = moment_from(text)
    return None if moment is None else brussels_day(moment)


def brussels_day(moment: datetime) -> date:
    """The day in Brussels that a moment falls on."""
    return moment.astimezone(ZoneInfo(BRUSSELS)).date()
