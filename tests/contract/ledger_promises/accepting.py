"""Accepting: unique for ever, ordered within a case, never in anybody's way."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.kit.ports import Arrival
from relais.ledger.ports import Fate, Receipt, Release
from tests.contract.ledger_world import START_MS, World, an_arrival, arrivals, names_of, sent


def fates(receipts: Sequence[Receipt]) -> list[Fate]:
    return [receipt.fate for receipt in receipts]


class AcceptingPromises:
    async def test_a_new_event_is_kept_as_it_came_and_waits(self, world: World) -> None:
        (receipt,) = await world.accept(an_arrival())

        case = await world.claim_one()
        (event,) = case.events
        assert (receipt.fate, receipt.seq) == (Fate.NEW, event.seq)
        assert (case.key, case.reference, case.more) == ("fixmystreet:1", "fixmystreet-1", False)
        assert (event.event.source, event.event.door, event.event.event_id) == ("fixmystreet", "webhook", "created:1")
        assert (event.event.body, event.event.test, event.in_doubt) == (b'{"said": "first"}', False, False)
        assert event.event.received_at == datetime.fromtimestamp(START_MS / 1000, UTC)

    async def test_the_same_event_again_is_the_same_and_nothing_more(self, world: World) -> None:
        (first,) = await world.accept(an_arrival())

        (again,) = await world.accept(an_arrival())

        assert (again.fate, again.seq) == (Fate.SAME, first.seq)
        assert len((await world.claim_one()).events) == 1
        backlog = await world.ledger.stories.backlog()
        assert (backlog.accepted, backlog.conflicts) == (1, 0)

    async def test_an_event_stays_known_after_it_was_delivered(self, world: World) -> None:
        await world.accept(an_arrival())
        await world.deliver_all()
        await world.forward(400 * 86_400_000)

        (again,) = await world.accept(an_arrival())

        assert again.fate is Fate.SAME
        assert await world.claim() == []

    async def test_an_event_stays_known_after_its_body_was_erased(self, world: World) -> None:
        await world.accept(an_arrival())
        await world.deliver_all()
        await world.sql("UPDATE events SET body = NULL")

        assert fates(await world.accept(an_arrival())) == [Fate.SAME]

    async def test_two_sources_may_use_the_same_id(self, world: World) -> None:
        group = an_arrival("1", case="1"), an_arrival("1", case="2", source="nova")

        assert fates(await world.accept(*group)) == [Fate.NEW, Fate.NEW]

    async def test_other_content_under_a_known_id_is_kept_once_and_never_delivered(self, world: World) -> None:
        (first,) = await world.accept(an_arrival(content="first"))

        for _ in range(2):
            (other,) = await world.accept(an_arrival(content="other"))
            assert (other.fate, other.seq) == (Fate.CONFLICT, first.seq)

        assert [event.event.body for event in (await world.claim_one()).events] == [b'{"said": "first"}']
        backlog = await world.ledger.stories.backlog()
        assert (backlog.accepted, backlog.conflicts) == (1, 1)

    async def test_a_conflict_is_in_nobodys_way(self, world: World) -> None:
        await world.accept(an_arrival("a", content="first"))

        receipts = await world.accept(
            an_arrival("a", content="other"), an_arrival("b"), an_arrival("c", case="2"), an_arrival("a")
        )

        assert fates(receipts) == [Fate.CONFLICT, Fate.NEW, Fate.NEW, Fate.SAME]
        assert [names_of(case) for case in await world.claim()] == [["a", "b"], ["c"]]

    async def test_a_conflict_that_names_another_case_makes_no_lane(self, world: World) -> None:
        await world.accept(an_arrival("a", case="1"))

        await world.accept(an_arrival("a", case="2", content="other"))

        assert [case.key for case in await world.claim()] == ["fixmystreet:1"]
        assert await world.ledger.stories.story("fixmystreet:2") is None

    async def test_an_id_repeated_within_one_group_is_taken_once(self, world: World) -> None:
        receipts = await world.accept(
            an_arrival("a"), an_arrival("a"), an_arrival("b"), an_arrival("a", content="other"), an_arrival("a")
        )

        assert fates(receipts) == [Fate.NEW, Fate.SAME, Fate.NEW, Fate.CONFLICT, Fate.SAME]
        assert {receipt.seq for index, receipt in enumerate(receipts) if index != 2} == {receipts[0].seq}
        assert names_of(await world.claim_one()) == ["a", "b"]
        assert (await world.ledger.stories.backlog()).conflicts == 1

    async def test_an_empty_group_is_no_fault(self, world: World) -> None:
        assert await world.accept() == []

    async def test_an_event_without_a_case_is_parked_alone_with_its_trouble(self, world: World) -> None:
        receipts = await world.accept(
            an_arrival("a"), an_arrival("lost", case=None, trouble="no number"), an_arrival("b")
        )

        assert fates(receipts) == [Fate.NEW] * 3
        (parked,) = await world.ledger.stories.parked()
        assert (parked.event_id, parked.key, parked.code, parked.reason) == ("lost", None, "unreadable", "no number")
        assert (parked.understood, parked.behind) == (False, 0)
        assert await world.deliver_all() == ["a", "b"]

    async def test_the_masked_body_is_stored_and_the_whole_one_is_compared(self, world: World) -> None:
        (first,) = await world.accept(an_arrival(content="number 85073003328"))

        (other,) = await world.accept(an_arrival(content="number ***********"))

        assert first.seq is not None
        assert await world.ledger.stories.body(first.seq) == b'{"said": "number ***********"}'
        assert other.fate is Fate.CONFLICT
        assert all(b"85073003328" not in bytes(row.body) for row in await world.sql("SELECT body FROM conflicts"))

    async def test_a_test_event_says_so_to_its_worker(self, world: World) -> None:
        await world.ledger.acceptance.accept([an_arrival()], test=True)

        assert [event.event.test for event in (await world.claim_one()).events] == [True]

    async def test_within_a_case_the_order_is_that_of_acceptance_over_several_groups_and_intakes(
        self, world: World
    ) -> None:
        async with world.another() as other:
            intakes = [world.ledger, other]
            for index in range(8):
                group = arrivals("1", f"{index}a", f"{index}b") + arrivals("2", f"{index}a")
                await intakes[index % 2].acceptance.accept(group)

        first, second = sorted(await world.claim(), key=lambda case: case.key)
        assert names_of(first) == [f"1:{index}{letter}" for index in range(8) for letter in "ab"]
        assert names_of(second) == [f"2:{index}a" for index in range(8)]

    async def test_intakes_side_by_side_keep_the_order_of_each_and_lose_nothing(self, world: World) -> None:
        async with world.another() as other:

            async def intake(name: str, number: int) -> None:
                ledger = [world.ledger, other][number % 2]
                for index in range(6):
                    # the cases in another order for each intake: whoever locks as it goes would wait in a ring
                    cases = ["1", "2", "3"] if number % 2 else ["3", "2", "1"]
                    group = [event for case in cases for event in arrivals(case, f"{name}{index}")]
                    assert set(fates(await ledger.acceptance.accept(group))) == {Fate.NEW}

            await asyncio.gather(*(intake(name, number) for number, name in enumerate("abcd")))

        cases = await world.claim()
        assert len(cases) == 3
        for case in cases:
            assert len(case.events) == 24
            for name in "abcd":
                mine = [event_id for event_id in names_of(case) if f":{name}" in event_id]
                assert mine == sorted(mine)

    async def test_one_event_through_several_intakes_at_once_is_new_for_one_of_them(self, world: World) -> None:
        group: list[Arrival] = [an_arrival(f"e{index}", case=str(index % 3)) for index in range(9)]
        async with world.another() as other:
            answers = await asyncio.gather(
                *(ledger.acceptance.accept(group) for _ in range(3) for ledger in (world.ledger, other))
            )

        for receipts in zip(*answers, strict=True):
            assert sorted(receipt.fate for receipt in receipts) == [Fate.NEW] + [Fate.SAME] * 5
            assert len({receipt.seq for receipt in receipts}) == 1
        assert sum(len(case.events) for case in await world.claim()) == 9
        assert {row.pending for row in await world.sql("SELECT pending FROM cases")} == {3}

    async def test_what_is_accepted_while_a_case_is_claimed_waits_for_its_release(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        case = await world.claim_one("first")

        await world.accept(*arrivals("1", "b"))

        assert await world.claim("second") == []
        assert await world.report(case, sent(*case.events), owner="first")
        assert names_of(await world.claim_one("second")) == ["1:b"]

    async def test_what_is_accepted_for_a_waiting_case_does_not_hurry_it(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        await world.report(await world.claim_one(), release=Release(wait_ms=60_000, failed=True, error="busy"))

        await world.accept(*arrivals("1", "b"))

        assert await world.claim() == []
        await world.forward(60_000)
        assert names_of(await world.claim_one()) == ["1:a", "1:b"]
