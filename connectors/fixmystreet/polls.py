"""The two rhythms of reading: what is new, every minute; everything, every day.

The API has no filter *changed since*, its days are days of creation, and its order is not documented. So neither cursor
is a position in time that could skip two reports of one second: it says which days have been read from end to end, and
how far a pass or sweep under way has come. Reading something twice costs a request; the ledger drops what is not new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.fixmystreet.naming import INCIDENTS
from connectors.fixmystreet.reading import Reader, SeenPage, Slice
from connectors.kit.errors import ConnectorError, TemporaryError
from connectors.kit.ports import Keep, Observation, Page, SecondLook

HEAD_PAGES: Final = 5
"""How far the head of a listing is read at most, while every page still says something new."""


class _Cursor(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def json_like(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return self.model_dump(mode="json")


class _Position(_Cursor):
    """The page that was kept last."""

    municipality: str
    page: int


class _Window(_Position):
    """A pass under way: its days, and the page that was kept last."""

    day: date
    start: date


class _Recent(_Cursor):
    """``read_to`` is the day on which the last complete pass began; ``head`` and ``window`` are under way, if any."""

    read_to: date | None = None
    head: _Position | None = None
    window: _Window | None = None


class _Plan(_Cursor):
    """What a sweep covers; with other settings it would not be the same sweep."""

    since: date
    municipalities: tuple[str, ...]
    slice_days: int


class _Sweep(_Cursor):
    """A sweep by number: what it covers, and the page that was kept last."""

    sweep: int
    plan: _Plan
    until: date
    start: date
    municipality: str
    page: int
    complete: bool = False


_C = TypeVar("_C", bound=_Cursor)


@dataclass(slots=True)
class _Trouble:
    """What went wrong beside the reports: told at the end of a run, so that it does not hold them back."""

    error: ConnectorError | None = None
    unnamed: int = 0

    def tell(self) -> None:
        if self.error is not None:
            raise self.error
        if self.unnamed:
            raise TemporaryError(f"{self.unnamed} incidents without a number were left out", code="unreadable_incident")


@dataclass(frozen=True, slots=True)
class _IncidentPoll:
    reader: Reader
    door: str = field(init=False, default=INCIDENTS)

    async def look_again(self, external_ids: Sequence[str]) -> SecondLook:
        return await self.reader.look_again(external_ids)

    def gone(self, external_id: str, last_body: bytes | None) -> Observation:
        return self.reader.gone(external_id, last_body)

    def recorded(self, document: Any) -> Observation | None:
        return self.reader.recorded(document)


@dataclass(frozen=True, slots=True)
class RecentPoll(_IncidentPoll):
    """Reads the head of the listing while it has news, then the newest days and those since the last complete pass."""

    name: str = field(init=False, default="recent")

    @property
    def every(self) -> timedelta:
        return self.reader.settings.recent_every

    async def run(self, cursor: Mapping[str, Any] | None, keep: Keep) -> None:
        state = _read(_Recent, cursor) or _Recent()
        trouble = _Trouble()
        await self._keep_catalogue(state, keep, trouble)
        await self._read_head(state, keep, trouble)
        await self._read_window(state, keep, trouble)
        trouble.tell()

    async def _keep_catalogue(self, state: _Recent, keep: Keep, trouble: _Trouble) -> None:
        match await self.reader.categories.read_or_trouble():
            case ConnectorError() as error:
                trouble.error = error
            case str(text):
                await keep(Page((), state.json_like(), catalogue=text))

    async def _read_head(self, state: _Recent, keep: Keep, trouble: _Trouble) -> None:
        unfinished = state.head
        for municipality in self.reader.settings.municipalities:
            # What a run that was killed had already kept is no news any more, and yet there may be news behind it.
            known = unfinished.page if unfinished and unfinished.municipality == municipality else -1
            async for page in self.reader.pages(Slice(municipality)):
                reached = _Position(municipality=municipality, page=page.number)
                kept = await keep(Page(page.observations, state.model_copy(update={"head": reached}).json_like()))
                trouble.unnamed += page.unnamed
                if page.number + 1 >= HEAD_PAGES or (kept.changed == 0 and page.number > known):
                    break

    async def _read_window(self, state: _Recent, keep: Keep, trouble: _Trouble) -> None:
        municipalities = self.reader.settings.municipalities
        window = state.window
        if window is None or window.municipality not in municipalities:
            window = _Window(
                day=self.reader.today(), start=self._window_start(state), municipality=municipalities[0], page=0
            )
        if window.start > window.day:
            return
        end = window.day + timedelta(days=1)
        for municipality in municipalities[municipalities.index(window.municipality) :]:
            # The page kept last is read once more: something may have left the listing meanwhile.
            first = window.page if municipality == window.municipality else 0
            async for page in self.reader.pages(Slice(municipality, window.start, end), first):
                trouble.unnamed += page.unnamed
                reached = window.model_copy(update={"municipality": municipality, "page": page.number})
                after = _Recent(read_to=state.read_to, window=reached)
                if page.last and municipality == municipalities[-1]:
                    after = _Recent(read_to=window.day)
                await keep(Page(page.observations, after.json_like()))

    def _window_start(self, state: _Recent) -> date:
        """Every day since the last complete pass, however long ago that was; history before that is the sweep's."""
        start = self.reader.today() - timedelta(days=self.reader.settings.recent_days)
        if state.read_to is not None:
            start = min(start, state.read_to - timedelta(days=1))
        return max(start, self.reader.settings.since)


@dataclass(frozen=True, slots=True)
class SweepPoll(_IncidentPoll):
    """Reads everything from ``since`` to today, slice by slice, and says when nothing was left out."""

    name: str = field(init=False, default="sweep")

    @property
    def every(self) -> timedelta:
        return self.reader.settings.sweep_every

    async def run(self, cursor: Mapping[str, Any] | None, keep: Keep) -> None:
        state = self._resumed(_read(_Sweep, cursor))
        trouble = _Trouble()
        slices = self._slices(state)
        reached = next((at for at, part in enumerate(slices) if _is_at(state, part)), 0)
        for at, part in enumerate(slices[reached:], start=reached):
            async for page in self.reader.pages(part, state.page if at == reached else 0):
                trouble.unnamed += page.unnamed
                complete = page.last and at + 1 == len(slices)
                after = _after(state, part, page, complete=complete)
                await keep(Page(page.observations, after.json_like(), sweep=state.sweep, sweep_complete=complete))
        trouble.tell()

    def _resumed(self, last: _Sweep | None) -> _Sweep:
        settings = self.reader.settings
        plan = _Plan(since=settings.since, municipalities=settings.municipalities, slice_days=settings.sweep_slice_days)
        if last is not None and not last.complete and last.plan == plan:
            return last
        return _Sweep(
            sweep=last.sweep + 1 if last else 1,
            plan=plan,
            until=self.reader.today(),
            start=plan.since,
            municipality=plan.municipalities[0],
            page=0,
        )

    def _slices(self, state: _Sweep) -> list[Slice]:
        """Slices meet on a common day, because nobody says whether the last day of a filter is included."""
        step = timedelta(days=state.plan.slice_days)
        starts = []
        start = state.plan.since
        while start <= state.until:
            starts.append(start)
            start += step
        last_day = state.until + timedelta(days=1)
        return [
            Slice(municipality, start, min(start + step, last_day))
            for start in starts
            for municipality in state.plan.municipalities
        ]


def _is_at(state: _Sweep, part: Slice) -> bool:
    return (part.start, part.municipality) == (state.start, state.municipality)


def _after(state: _Sweep, part: Slice, page: SeenPage, *, complete: bool) -> _Sweep:
    return state.model_copy(
        update={"start": part.start, "municipality": part.municipality, "page": page.number, "complete": complete}
    )


def _read(kind: type[_C], cursor: Mapping[str, Any] | None) -> _C | None:
    """A cursor that an older release wrote and that cannot be read means: start anew. That costs requests only."""
    if not cursor:
        return None
    try:
        return kind.model_validate(cursor)
    except ValidationError:
        return None
