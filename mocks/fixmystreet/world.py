"""The one dataset behind both doors, the webhooks and the hooks."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from mocks.fixmystreet import times
from mocks.fixmystreet.categories import CategoryTree
from mocks.fixmystreet.records import Report, Status, Version
from mocks.fixmystreet.settings import Settings, WebhookTarget
from mocks.fixmystreet.shape import Shape

FIRST_ID = 700_001
TICK = timedelta(milliseconds=1)

Visibility = Literal["listed", "detail", "none"]


class World:
    """Reports, the tree, the shape of the answers, and a record of every request sent and received."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = times.now) -> None:
        self._clock = clock
        self.start_over(settings)

    def start_over(self, settings: Settings) -> None:
        """Forget everything and begin as the settings say; whoever holds the world keeps it."""
        self.settings = settings
        self.tree = CategoryTree()
        self.shape = Shape()
        self.target: WebhookTarget | None = settings.target
        self.reports: dict[int, Report] = {}
        self.webhooks: list[dict[str, Any]] = []
        self.hooks: list[dict[str, Any]] = []
        self.revision = 0
        self.simulated = False
        self.latest: datetime | None = None
        self._sequence = itertools.count(1)
        self._next_id = FIRST_ID
        self._ordered: tuple[tuple[int, str], list[Report]] | None = None

    def reserve_ids(self, count: int) -> range:
        """Consecutive report ids that nobody else gets."""
        first = self._next_id
        self._next_id += count
        return range(first, self._next_id)

    def moment(self) -> datetime:
        """Now: the wall clock, or a tick after the last change once a day has been played."""
        if self.simulated and self.latest is not None:
            return self.latest + TICK
        return self._clock()

    def touch(self) -> None:
        """Say that answers may differ from now on (a switch, the tree)."""
        self.revision += 1

    def add(self, report: Report, what: str = "created") -> Report:
        """Take in a report and its first version."""
        self.reports[report.id] = report
        return self.record(report, what, report.modified_at)

    def not_before(self, report: Report, at: datetime) -> datetime:
        """The moment itself, or a tick after the report's last version where that is later."""
        return max(at, report.versions[-1].at + TICK) if report.versions else at

    def record(self, report: Report, what: str, at: datetime, *, modifies: bool = True) -> Report:
        """Note what a report has become; a change that modifies it moves `modified_at`, strictly forward."""
        at = self.not_before(report, at)
        if modifies:
            report.modified_at = at
        self.latest = at if self.latest is None else max(at, self.latest)
        self.revision += 1
        number = len(report.versions) + 1
        report.versions.append(Version(number, next(self._sequence), at, what, self.content_of(report)))
        return report

    def visibility(self, report: Report, *, gateway: bool = False) -> Visibility:
        """Where the public sees it: in lists and detail, in the detail only, or nowhere."""
        if report.status in {Status.TEMPORARY, Status.DELETED}:
            return "none"
        if report.private and not (gateway and self.shape.gateway_carries_private):
            return "none"
        if report.merged_with is not None:
            return "detail"
        if report.status is Status.REFUSED and not self.shape.refused_is_listed:
            return "detail"
        return "listed"

    def in_order(self) -> list[Report]:
        """Every report in the order that lists use; the real one is not known."""
        key = (self.revision, self.shape.order)
        if self._ordered is None or self._ordered[0] != key:
            match self.shape.order:
                case "created":
                    found = sorted(
                        self.reports.values(), key=lambda report: (report.created_at, report.id), reverse=True
                    )
                case "updated":
                    found = sorted(
                        self.reports.values(), key=lambda report: (report.modified_at, report.id), reverse=True
                    )
                case "unordered":
                    found = sorted(self.reports.values(), key=lambda report: report.id * 2_654_435_761 % 2**32)
            self._ordered = (key, found)
        return self._ordered[1]

    def content_of(self, report: Report) -> dict[str, Any]:
        """The facts of a report that a judge compares, in words of their own and not those of an API."""
        return {
            "status": int(report.status),
            "status_name": report.status.name,
            "public_status": report.public_status,
            "declared_resolved": report.status is Status.SOLVED,
            "visibility": self.visibility(report),
            "private": report.private,
            "merged_with": report.merged_with,
            "category": report.category_id,
            "category_path": [node.id for node in self.tree.path(report.category_id)],
            "street_fr": report.address.street.fr,
            "street_nl": report.address.street.nl,
            "number": report.address.number,
            "postal_code": report.postal_code,
            "point": report.point,
            "duplicates": report.duplicates,
            "department": report.department.id,
            "contractor": report.contractor.id if report.contractor else None,
            "contractor_reference": report.contractor_reference,
            "comments": len(report.comments),
        }
