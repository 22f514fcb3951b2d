"""Playing event fixtures into the ledger, through the doors that such events come in by."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Final

from connectors.kit.pace import Pace
from connectors.kit.ports import Arrival, Source
from relais.delivery.fold import Route
from relais.ledger.ledger import Ledger
from relais.ledger.ports import Fate, Receipt
from relais.operations.doorways import Doorways
from relais.operations.fixtures import Fixture, Misfit, files_under, read_fixtures
from relais.operations.rehearsing import Rehearsal, Understanding, understanding_of
from relais.runtime.learning import CatalogueReader

_LARGEST_GROUP: Final = 256
_GROUPS_PER_SECOND: Final = 5

_Item = Fixture | Misfit


class Outcome(StrEnum):
    """What became of a fixture, or would."""

    NEW = "new"
    SAME = "same"
    CONFLICT = "conflict"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Played:
    """One fixture after it was played, or rehearsed; nothing in it is personal.

    ``fault`` says why it was refused or cannot be read; ``understanding`` is there in a rehearsal.
    """

    where: str
    outcome: Outcome
    source: str | None = None
    door: str | None = None
    event_id: str | None = None
    case_key: str | None = None
    fault: str | None = None
    understanding: Understanding | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A group is done: its fixtures, and how far the files are read."""

    played: tuple[Played, ...]
    bytes_read: int
    bytes_in_all: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay at its end. ``run`` is the token under which the same can be played again as new; None for a plain one.

    ``case_types`` counts a rehearsal's events by what they would be routed to.
    """

    dry_run: bool
    run: str | None
    counts: Mapping[Outcome, int]
    case_types: Mapping[str, int]

    @property
    def accepted(self) -> int:
        """How many events came into the ledger, those that cannot be read among them."""
        return self.counts[Outcome.NEW] + self.counts[Outcome.UNREADABLE]

    @property
    def ok(self) -> bool:
        """Whether everything that was named could be played."""
        return self.counts[Outcome.REFUSED] == 0


@dataclass(frozen=True, slots=True)
class Stage:
    """What a replay plays on."""

    ledger: Ledger
    sources: Mapping[str, Source]
    route: Route


@dataclass(frozen=True, slots=True)
class Manner:
    """How to play: so many events a second (None: as fast as it goes), only as a rehearsal, as new under a token."""

    rate: float | None = None
    dry_run: bool = False
    run: str | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def group(self) -> int:
        """How many fixtures go into one transaction."""
        return _LARGEST_GROUP if self.rate is None else max(1, min(_LARGEST_GROUP, int(self.rate / _GROUPS_PER_SECOND)))


def new_run() -> str:
    """A token that no run had before."""
    return secrets.token_hex(3)


async def replay(
    paths: Sequence[Path], stage: Stage, manner: Manner, *, progress: Callable[[Progress], None]
) -> Replayed:
    """Play every fixture under ``paths``, in order; ``progress`` is told after each group.

    A push goes through its webhook's naming, what was polled becomes the observation that the poll would make of it.
    What was played before is known and does nothing. As new, ids and case keys carry the token of the run, and the
    cases are marked as tests. A rehearsal writes nothing. Raises LedgerAwayError; what was accepted stays, and playing
    the same again goes on behind it.
    """
    if manner.dry_run:
        await CatalogueReader(stage.ledger.polls, stage.sources).once()
    files, misfits = files_under(paths)
    sizes = [_size(file) for file in files]
    player = _Player(stage, manner)
    pace = Pace(manner.rate / manner.group, manner.clock, manner.sleep) if manner.rate else None
    counts: Counter[Outcome] = Counter()
    case_types: Counter[str] = Counter()
    for read, group in _groups(_items(files, sizes, misfits, stage.sources), manner.group):
        if pace is not None:
            await pace.turn()
        played = await player.play(group)
        counts.update(one.outcome for one in played)
        case_types.update(one.understanding.case_type or "not understood" for one in played if one.understanding)
        progress(Progress(tuple(played), read, sum(sizes)))
    return Replayed(manner.dry_run, manner.run, {outcome: counts[outcome] for outcome in Outcome}, dict(case_types))


class _Player:
    """Plays groups one after the other."""

    def __init__(self, stage: Stage, manner: Manner) -> None:
        self._stage = stage
        self._acceptance = stage.ledger.acceptance
        self._doorways = Doorways(stage.sources, self._acceptance.fingerprint, manner.run)
        self._rehearsal = Rehearsal(stage.ledger) if manner.dry_run else None
        self._test = manner.run is not None

    async def play(self, group: Sequence[_Item]) -> list[Played]:
        """What became of each, in order."""
        named = [(one, self._doorways.arrival(one) if isinstance(one, Fixture) else one) for one in group]
        receipts = iter(await self._accepted([one for _, one in named if isinstance(one, Arrival)]))
        return [
            _refused(item, arrival) if isinstance(arrival, Misfit) else self._played(item, arrival, next(receipts))
            for item, arrival in named
        ]

    async def _accepted(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        if not arrivals:
            return []
        if self._rehearsal is not None:
            return await self._rehearsal.accept(arrivals)
        return await self._acceptance.accept(arrivals, test=self._test)

    def _played(self, item: _Item, arrival: Arrival, receipt: Receipt) -> Played:
        understanding = None
        if self._rehearsal is not None:
            received_at = item.received_at if isinstance(item, Fixture) else None
            understanding = understanding_of(
                arrival,
                self._stage.sources[arrival.source],
                self._stage.route,
                self._acceptance.fingerprint,
                received_at=received_at,
            )
        fault = arrival.trouble or (understanding.fault if understanding else None)
        unreadable = receipt.fate is Fate.NEW and (arrival.case_key is None or fault is not None)
        return Played(
            where=item.where,
            outcome=Outcome.UNREADABLE if unreadable else Outcome(receipt.fate.value),
            source=arrival.source,
            door=arrival.door,
            event_id=arrival.event_id,
            case_key=arrival.case_key,
            fault=fault,
            understanding=understanding,
        )


def _refused(item: _Item, misfit: Misfit) -> Played:
    fixture = item if isinstance(item, Fixture) else None
    return Played(
        where=misfit.where,
        outcome=Outcome.REFUSED,
        source=fixture.source if fixture else None,
        door=fixture.door if fixture else None,
        fault=misfit.fault,
    )


def _items(
    files: Sequence[Path], sizes: Sequence[int], misfits: Sequence[Misfit], sources: Mapping[str, Source]
) -> Iterator[tuple[int, _Item]]:
    """Everything to play, each with how many bytes of all files are read by then."""
    for misfit in misfits:
        yield 0, misfit
    before = 0
    for file, size in zip(files, sizes, strict=True):
        for read, item in read_fixtures(file, sources):
            yield before + min(read, size), item
        before += size


def _groups(items: Iterable[tuple[int, _Item]], size: int) -> Iterator[tuple[int, list[_Item]]]:
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group[-1][0], [item for _, item in group]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
