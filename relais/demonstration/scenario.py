"""What is to be played: how much, how fast, which day, for whom."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

CITY_POSTAL_CODES: Final = ("1000", "1020", "1120", "1130")
"""The City of Brussels."""


def yesterday() -> date:
    """The last whole day in Brussels."""
    return (datetime.now(UTC).astimezone(ZoneInfo("Europe/Brussels")) - timedelta(days=1)).date()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One day of Fix My Street, played in ``seconds``. The same seed and day give the same reports and changes.

    ``repeat_share`` of the pushes are sent twice with the same bytes, as when somebody presses the button again.
    """

    reports: int
    changes: int
    seconds: float
    seed: int
    day: date
    repeat_share: float = 0.05

    def as_play(self, webhook_url: str, signature_key: str, token: str) -> dict[str, Any]:
        """What the stand-in's ``/_control/play`` takes; its pushes go to ``webhook_url``."""
        return {
            "reports": self.reports,
            "changes": self.changes,
            "seconds": self.seconds,
            "seed": self.seed,
            "day": self.day.isoformat(),
            "repeat_share": self.repeat_share,
            "webhook_url": webhook_url,
            "signature_key": signature_key,
            "token": token,
        }
