"""What is played comes in through its own door, once, and a rehearsal leaves no trace."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio

from relais.bootstrap import route_by
from relais.operations.replaying import Manner, Outcome, Played, Progress, Replayed, Stage, new_run, replay
from routing.load import load_bundled
from tests.unit.fixmystreet.world import Api, a_source
from tests.unit.operations.world import Desk, a_push, a_sighting, written

GOLDEN = Path(__file__).parents[2] / "golden" / "fixmystreet"


@dataclass
class Theatre:
    """A stage over a ledger, with what was told while playing."""

    desk: Desk
    stage: Stage
    told: list[Progress] = field(default_factory=list)

    async def play(self, *paths: Path, **manner: Any) -> Replayed:
        self.told.clear()
        return await replay(paths, self.stage, Manner(**manner), progress=self.told.append)

    @property
    def played(self) -> list[Played]:
        return [one for progress in self.told for one in progress.played]

    async def count(self, table: str) -> int:
        (row,) = await self.desk.world.sql(f"SELECT count(*) AS many FROM {table}")
        many: int = row.many
        return many


@pytest_asyncio.fixture
async def theatre(desk: Desk) -> AsyncIterator[Theatre]:
    async with a_source(Api()) as source:
        yield Theatre(desk, Stage(desk.ledger, {"fixmystreet": source}, route_by(load_bundled())))


def counted(**counts: int) -> dict[Outcome, int]:
    return {outcome: counts.get(outcome.value, 0) for outcome in Outcome}


async def test_a_push_and_what_was_polled_meet_in_one_case(theatre: Theatre, tmp_path: Path) -> None:
    result = await theatre.play(written(tmp_path / "day.jsonl", a_push(1), a_sighting(1), a_sighting(2)))
    assert result.counts == counted(new=3)
    assert result.ok
    story = await theatre.desk.world.story("1")
    assert [chapter.door for chapter in story.chapters] == ["webhook", "incidents"]
    assert story.chapters[0].event_id == "transfer.request:1:2026-05-04T10:11:12"


async def test_playing_the_same_again_does_nothing(theatre: Theatre, tmp_path: Path) -> None:
    day = written(
        tmp_path / "day.jsonl",
        a_push(1),
        a_sighting(1),
        a_sighting(1, status="PROCESSING"),
        a_sighting(1),  # a state may come back, and that is news
        a_push(1, modified_at="2026-05-05T09:00:00"),
    )
    first = await theatre.play(day)
    again = await theatre.play(day)
    assert first.counts == counted(new=5)
    assert again.counts == counted(same=5)
    assert await theatre.count("events") == 5


async def test_playing_the_golden_folders_twice_accepts_nothing_new(theatre: Theatre) -> None:
    first = await theatre.play(GOLDEN)
    again = await theatre.play(GOLDEN)
    assert first.accepted > 0
    assert first.ok
    assert again.accepted == 0
    assert again.counts[Outcome.CONFLICT] == first.counts[Outcome.CONFLICT]


async def test_what_a_poll_sees_twice_unchanged_is_one_event(theatre: Theatre, tmp_path: Path) -> None:
    result = await theatre.play(written(tmp_path / "day.json", a_sighting(1), a_sighting(1)))
    assert result.counts == counted(new=1, same=1)


async def test_a_replayed_sighting_never_takes_the_name_of_a_poll_of_our_own(theatre: Theatre, tmp_path: Path) -> None:
    await theatre.play(written(tmp_path / "day.json", a_sighting(1)))
    poll = theatre.stage.sources["fixmystreet"].polls[0]
    seen = poll.recorded(a_sighting(1, status="CLOSED")["body"])
    assert seen is not None
    (receipt,) = await theatre.desk.ledger.polls.observe("fixmystreet", "incidents", [seen], sweep=1)
    assert receipt.fate == "new"


async def test_another_content_under_a_known_id_is_a_conflict(theatre: Theatre, tmp_path: Path) -> None:
    await theatre.play(written(tmp_path / "one.json", a_push(1)))
    result = await theatre.play(written(tmp_path / "other.json", a_push(1, severalOccurences=True)))
    assert result.counts == counted(conflict=1)
    assert await theatre.count("conflicts") == 1


async def test_what_names_no_case_is_accepted_and_parked(theatre: Theatre, tmp_path: Path) -> None:
    result = await theatre.play(written(tmp_path / "one.json", a_push(1) | {"body": {"meta": {}}}))
    assert result.counts == counted(unreadable=1)
    assert theatre.played[0].fault == "no report number in data.report.id"
    assert await theatre.desk.ledger.stories.parked_by_code() == {"unreadable": 1}


async def test_each_thing_that_cannot_be_played_is_told_and_the_others_go_on(theatre: Theatre, tmp_path: Path) -> None:
    lines = written(
        tmp_path / "day.jsonl",
        a_push(1) | {"source": "nova"},
        a_push(1) | {"door": "letterbox"},
        a_push(1) | {"body": '{"a": 1, "a": 2}'},
        a_push(1) | {"body": '{"a": "%s"}' % ("x" * 1_100_000)},
        a_sighting(1, body={"status": "CREATED"}),
        a_push(2),
    )
    result = await theatre.play(tmp_path / "missing.json", lines)
    assert result.counts == counted(refused=6, new=1)
    assert not result.ok
    assert [one.fault for one in theatre.played if one.outcome is Outcome.REFUSED] == [
        "no such file or folder",
        "no source nova is configured; there are: fixmystreet",
        "fixmystreet has no door letterbox; it has: incidents, webhook",
        "the door would refuse the body: a key is said twice in one object",
        "the door would refuse the body: larger than 1048576 bytes",
        "it names nothing, so a poll would have left it out",
    ]


async def test_as_new_makes_cases_of_their_own_that_the_crm_is_told_are_tests(theatre: Theatre, tmp_path: Path) -> None:
    day = written(tmp_path / "day.jsonl", a_push(1), a_sighting(1))
    await theatre.play(day)
    await theatre.desk.world.deliver_all()
    result = await theatre.play(day, run="ab12")
    assert result.counts == counted(new=2)
    assert {one.case_key for one in theatre.played} == {"fixmystreet:test-ab12-1"}

    change = await theatre.desk.deliver(sources=theatre.stage.sources)
    assert change is not None
    assert change.case.test
    assert change.case.key == "fixmystreet:test-ab12-1"
    assert change.case.reference.startswith("fixmystreet-test-ab12")
    assert change.change_key.startswith(change.case.reference)


async def test_a_plain_replay_makes_no_tests(theatre: Theatre, tmp_path: Path) -> None:
    await theatre.play(written(tmp_path / "one.json", a_push(1)))
    change = await theatre.desk.deliver(sources=theatre.stage.sources)
    assert change is not None
    assert not change.case.test


async def test_a_run_as_new_can_be_repeated_under_its_token_and_another_token_is_another_run(
    theatre: Theatre, tmp_path: Path
) -> None:
    day = written(tmp_path / "day.jsonl", a_push(1), a_sighting(1), a_sighting(2))
    assert (await theatre.play(day, run="ab12")).counts == counted(new=3)
    assert (await theatre.play(day, run="ab12")).counts == counted(same=3)
    assert (await theatre.play(day, run=new_run())).counts == counted(new=3)


async def test_a_rehearsal_tells_what_a_replay_would_do_and_writes_nothing(theatre: Theatre, tmp_path: Path) -> None:
    await theatre.play(written(tmp_path / "before.json", a_push(1)))
    day = written(
        tmp_path / "day.jsonl",
        a_push(1),
        a_push(1, severalOccurences=True),
        a_sighting(2),
        a_sighting(2, status="PROCESSING"),
        a_push(3) | {"body": {"meta": {}}},
    )
    before = [await theatre.count(table) for table in ("events", "deliveries", "cases", "conflicts", "case_keys")]
    rehearsed = await theatre.play(day, dry_run=True)
    after = [await theatre.count(table) for table in ("events", "deliveries", "cases", "conflicts", "case_keys")]
    assert before == after
    assert rehearsed.counts == counted(same=1, conflict=1, new=2, unreadable=1)
    assert rehearsed.counts == (await theatre.play(day)).counts


async def test_a_rehearsal_remembers_what_it_rehearsed_across_groups(theatre: Theatre, tmp_path: Path) -> None:
    lines = [a_push(1), a_push(2), a_push(1), a_push(2, severalOccurences=True)]
    result = await theatre.play(written(tmp_path / "day.jsonl", *lines), dry_run=True, rate=5.0, sleep=_no_sleep)
    assert len(theatre.told) == 4
    assert result.counts == counted(new=2, same=1, conflict=1)


async def test_a_rehearsal_says_how_each_event_is_understood_and_routed(theatre: Theatre, tmp_path: Path) -> None:
    day = written(tmp_path / "day.jsonl", a_sighting(1), a_push(2))
    result = await theatre.play(day, dry_run=True)
    seen, pushed = (one.understanding for one in theatre.played)
    assert seen is not None
    assert (seen.status, seen.case_type, seen.destination) == ("received", "street-furniture", "crm_cmt")
    assert pushed is not None
    assert (pushed.case_type, pushed.rule) == ("to-be-classified", "to-be-classified")
    assert "category_missing(category)" in pushed.remarks
    assert result.case_types == {"street-furniture": 1, "to-be-classified": 1}
    assert "Lucie" not in str(theatre.told)


async def test_a_rehearsal_speaks_with_the_newest_catalogue(theatre: Theatre, tmp_path: Path) -> None:
    learnt: list[str] = []
    source = theatre.stage.sources["fixmystreet"]
    await theatre.desk.world.sql(
        "INSERT INTO catalogues (source, version, digest, body, fetched_at) VALUES ('fixmystreet', 1, 'd', :body, 1)",
        body='{"response": {"categories": []}}',
    )

    class Listening:
        """The source, which says what it learns."""

        def __getattr__(self, name: str) -> Any:
            return getattr(source, name)

        def learn(self, catalogue: str) -> None:
            learnt.append(catalogue)

    theatre.stage = Stage(theatre.desk.ledger, {"fixmystreet": Listening()}, theatre.stage.route)
    await theatre.play(written(tmp_path / "one.json", a_sighting(1)), dry_run=True)
    assert learnt == ['{"response": {"categories": []}}']


async def test_a_rate_is_kept(theatre: Theatre, tmp_path: Path) -> None:
    now, slept = 0.0, 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now, slept
        now, slept = now + seconds, slept + seconds

    day = written(tmp_path / "day.jsonl", *(a_push(number) for number in range(1, 101)))
    await theatre.play(day, rate=50.0, clock=lambda: now, sleep=sleep)
    assert len(theatre.told) == 10
    assert 1.7 < slept <= 2.0


async def test_progress_rises_to_the_whole_of_the_files(theatre: Theatre, tmp_path: Path) -> None:
    files = [
        written(tmp_path / name, *(a_push(number) for number in range(1, 4)))
        for name in ("a.json", "b.jsonl", "c.json")
    ]
    await theatre.play(*files, rate=10.0, sleep=_no_sleep)
    reached = [progress.bytes_read for progress in theatre.told]
    assert reached == sorted(reached)
    assert reached[-1] == theatre.told[-1].bytes_in_all == sum(file.stat().st_size for file in files)


async def _no_sleep(_seconds: float) -> None:
    return
