"""The script of one day: who reports what, and what happens to it later; pure, the same for the same seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from mocks.fixmystreet import times
from mocks.fixmystreet.categories import CategoryTree
from mocks.fixmystreet.invent import a_category, a_later_comment, a_report
from mocks.fixmystreet.places import CITY_CRM, CITY_POSTAL_CODES, known_streets
from mocks.fixmystreet.records import IN_PROGRESS, Report, Status

# Reports by hour: few at night, a peak on the way to work, one after lunch and one after dinner (invented).
HOURLY = (2, 1, 1, 1, 1, 3, 9, 24, 38, 36, 32, 28, 26, 30, 28, 26, 28, 30, 27, 22, 17, 12, 6, 3)
SAME_SECOND_SHARE = 0.04
STEP = timedelta(seconds=1)
USUAL_PAUSE_MINUTES = 55.0
LAST_MOMENT = timedelta(minutes=5)


@dataclass(frozen=True)
class DayPlan:
    """What to play; shares are between 0 and 1."""

    day: date
    seed: int = 1
    reports: int = 420
    changes: int = 1260
    other_share: float = 0.2
    unlisted_share: float = 0.01
    repeat_share: float = 0.0


@dataclass(frozen=True)
class Step:
    """One thing that happens; `made` is the new report where `kind` is `create`."""

    at: datetime
    kind: str
    report: int
    details: dict[str, Any] = field(default_factory=dict)
    made: Report | None = None
    repeat: bool = False

    @property
    def touches(self) -> tuple[int, ...]:
        """The reports that it alters."""
        return (self.report, self.details["into"]) if self.kind == "merge" else (self.report,)


@dataclass
class _Course:
    """A report as the script has left it so far."""

    report: Report
    status: Status
    at: datetime
    with_city: bool
    hidden: bool
    assigned: bool = False
    reopened: bool = False

    @property
    def in_city(self) -> bool:
        return self.report.postal_code in CITY_POSTAL_CODES


def script_of(plan: DayPlan, tree: CategoryTree, report_ids: range) -> list[Step]:
    """Exactly `plan.reports` creations and `plan.changes` changes in the order of their times."""
    return _Script(plan, tree).written(report_ids)


class _Script:
    def __init__(self, plan: DayPlan, tree: CategoryTree) -> None:
        self._plan = plan
        self._tree = tree
        self._rng = random.Random(f"day {plan.seed} {plan.day.isoformat()}")
        self._start = times.start_of(plan.day)
        self._end = times.start_of(plan.day + timedelta(days=1)) - STEP
        self._steps: list[Step] = []

    def written(self, report_ids: range) -> list[Step]:
        courses = [self._created(report_id, at) for report_id, at in zip(report_ids, self._moments(), strict=True)]
        open_courses = list(courses)
        while len(self._steps) < self._plan.reports + self._plan.changes and open_courses:
            course = self._rng.choice(open_courses)
            kind = self._chosen(course)
            if kind is None or self._end - course.at < LAST_MOMENT / 5:
                open_courses.remove(course)
                continue
            self._happens(course, kind, courses)
        # The sort is stable: what happens to one report in the same second keeps its order.
        return sorted(self._steps, key=lambda step: step.at)

    def _moments(self) -> list[datetime]:
        moments: list[datetime] = []
        latest = self._end - LAST_MOMENT
        for hour in self._rng.choices(range(24), HOURLY, k=self._plan.reports):
            at = self._start + timedelta(hours=hour, milliseconds=self._rng.randrange(3_600_000))
            if moments and self._rng.random() < SAME_SECOND_SHARE:
                at = moments[-1]
            moments.append(min(at, latest))
        return sorted(moments)

    def _repeats(self) -> bool:
        return self._rng.random() < self._plan.repeat_share

    def _created(self, report_id: int, at: datetime) -> _Course:
        plan = self._plan
        made = a_report(
            self._rng, self._tree, report_id, at, other_share=plan.other_share, unlisted_share=plan.unlisted_share
        )
        self._steps.append(Step(at, "create", report_id, made=made, repeat=self._repeats()))
        return _Course(made, made.status, at, made.department == CITY_CRM, made.private)

    def _chosen(self, course: _Course) -> str | None:
        weights = _weights(course)
        return self._rng.choices(list(weights), list(weights.values()))[0] if weights else None

    def _pause(self, course: _Course) -> timedelta:
        left = self._end - course.at
        pause = timedelta(minutes=self._rng.expovariate(1 / USUAL_PAUSE_MINUTES))
        return STEP + min(pause, left * self._rng.uniform(0.05, 0.5))

    def _happens(self, course: _Course, kind: str, courses: list[_Course]) -> None:
        at = course.at + self._pause(course)
        details: dict[str, Any] = {}
        match kind:
            case "recategorise":
                details = {"category": a_category(self._rng, self._tree, pro=True)}
            case "correct address":
                details = {"number": str(self._rng.randint(1, 180))}
                if self._rng.random() < 0.3:
                    code = course.report.postal_code
                    details["street"] = self._rng.choice([s.fr for s in known_streets() if s.postal_code == code])
            case "comment":
                details = self._said(course, at)
            case "merge":
                into = self._older_neighbour(course, courses, at)
                if into is None:
                    kind = "duplicate"
                else:
                    details = {"into": into.report.id}
                    into.at = at
            case "transfer" if course.reopened and self._room_for_two():
                self._steps.append(Step(at, "comment", course.report.id, self._said(course, at)))
                at += STEP * 30 if self._end - at > STEP * 60 else STEP
        repeat = kind in {"transfer", "assign"} and self._repeats()
        self._steps.append(Step(at, kind, course.report.id, details, repeat=repeat))
        course.at = at
        _AFTER.get(kind, _unchanged)(course)

    def _room_for_two(self) -> bool:
        return len(self._steps) + 2 <= self._plan.reports + self._plan.changes

    def _said(self, course: _Course, at: datetime) -> dict[str, Any]:
        comment = a_later_comment(self._rng, course.report.creator.language, at)
        return {"text": comment.text, "name": comment.name, "security": comment.security}

    def _older_neighbour(self, course: _Course, courses: list[_Course], at: datetime) -> _Course | None:
        older = [
            other
            for other in courses
            if other.report.id < course.report.id
            and other.report.postal_code == course.report.postal_code
            and other.at < at
            and other.status in IN_PROGRESS | {Status.CREATED}
            and not other.hidden
        ]
        return self._rng.choice(older) if older else None


def _weights(course: _Course) -> dict[str, float]:
    weights: dict[str, float] = {}
    match course.status:
        case Status.CREATED:
            weights = {"accept": 6, "recategorise": 1, "correct address": 0.6, "duplicate": 1.2, "comment": 1.0}
            weights |= {"refuse": 0.4, "close": 0.4, "delete": 0.15, "hide": 0.15, "merge": 0.5}
            weights |= {"transfer": 2.0} if course.in_city and not course.with_city else {}
        case Status.SOLVED:
            weights = {"close": 5, "duplicate": 0.3, "comment": 0.5, "recategorise": 0.1}
        case Status.PROCESSED | Status.REFUSED:
            weights = {"reopen": 0.8, "comment": 0.4, "duplicate": 0.2}
        case Status.DELETED:
            weights = {}
        case _:
            weights = {"resolve": 2, "close": 2, "recategorise": 0.8, "correct address": 0.4, "duplicate": 0.8}
            weights |= {"comment": 1, "merge": 0.2, "hide": 0.1, "delete": 0.05}
            if course.in_city and course.reopened:
                weights["transfer"] = 8.0
            elif course.in_city and not course.with_city:
                weights |= {"transfer": 1.0} | ({} if course.assigned else {"assign": 0.8})
    if course.hidden and weights:
        weights.pop("hide", None)
        weights["show"] = 2.0
    return weights


def _unchanged(_: _Course) -> None:
    return None


def _becomes(status: Status) -> Callable[[_Course], None]:
    def becomes(course: _Course) -> None:
        course.status = status

    return becomes


def _reopened(course: _Course) -> None:
    course.status, course.reopened, course.assigned = Status.MANAGER_ASSIGNED, True, False


def _transferred(course: _Course) -> None:
    course.with_city, course.reopened, course.assigned = True, False, False
    course.status = Status.MANAGER_ASSIGNED


def _assigned(course: _Course) -> None:
    course.status, course.assigned = Status.CONTRACTOR_ASSIGNED, True


def _hidden(course: _Course) -> None:
    course.hidden = True


def _shown(course: _Course) -> None:
    course.hidden = False


_AFTER: dict[str, Callable[[_Course], None]] = {
    "accept": _becomes(Status.MANAGER_ASSIGNED),
    "resolve": _becomes(Status.SOLVED),
    "close": _becomes(Status.PROCESSED),
    "refuse": _becomes(Status.REFUSED),
    # A merged report takes no more part in the day.
    "merge": _becomes(Status.DELETED),
    "delete": _becomes(Status.DELETED),
    "reopen": _reopened,
    "transfer": _transferred,
    "assign": _assigned,
    "hide": _hidden,
    "show": _shown,
}
