"""Moments: kept in UTC, written the way each generation of Fix My Street writes them."""

from datetime import UTC, date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

BRUSSELS = ZoneInfo("Europe/Brussels")

DateStyle = Literal["offset", "utc", "naive"]
Precision = Literal["milliseconds", "seconds"]


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def start_of(day: date) -> datetime:
    """Midnight in Brussels at the start of `day`, in UTC."""
    return datetime.combine(day, time(), BRUSSELS).astimezone(UTC)


def local_day(moment: datetime) -> date:
    """The calendar day in Brussels."""
    return moment.astimezone(BRUSSELS).date()


def generation_1_text(moment: datetime) -> str:
    """Local time without an offset, as the Django monolith wrote it (no USE_TZ)."""
    return moment.astimezone(BRUSSELS).replace(tzinfo=None).isoformat()


def generation_2_text(moment: datetime, style: DateStyle, precision: Precision) -> str:
    """A date-time of the current API; which of the three styles it really uses is not known."""
    match style:
        case "offset":
            return moment.astimezone(BRUSSELS).isoformat(timespec=precision)
        case "utc":
            return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
        case "naive":
            return moment.astimezone(BRUSSELS).replace(tzinfo=None).isoformat(timespec=precision)
