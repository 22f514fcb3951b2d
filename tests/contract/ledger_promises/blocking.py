"""Parking: what blocks its case, what is parked alone, and what a human's retry does."""

from relais.ledger.ports import ClaimedCase, Done, LaneReport, Release
from tests.contract.ledger_world import LEASE_MS, World, an_arrival, arrivals, names_of, sent


def refused(case: ClaimedCase, place: int = 0, *, blocks: bool = True) -> Done:
    return Done(case.events[place].seq, code="refused", reason="no such type", blocks=blocks)


class BlockingPromises:
    async def test_a_refused_change_blocks_its_case_and_no_other(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"), *arrivals("2", "a"))
        (case,) = await world.claim(room=1)

        await world.report(case, [refused(case)])
        await world.forward(86_400_000)

        assert await world.deliver_all() == ["2:a"]
        assert await world.ledger.lanes.milliseconds_to_next() is None

    async def test_what_waits_behind_a_parked_event_says_behind_what(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b", "c"))
        case = await world.claim_one()
        await world.report(case, [refused(case)])

        story = await world.story()
        parked, *behind = story.chapters
        assert story.blocked_seq == parked.seq
        assert (parked.state, parked.code, parked.reason, parked.behind) == ("parked", "refused", "no such type", None)
        assert [(chapter.state, chapter.behind) for chapter in behind] == [("waiting", parked.seq)] * 2
        (listed,) = await world.ledger.stories.parked()
        assert (listed.seq, listed.key, listed.understood, listed.behind) == (parked.seq, "fixmystreet:1", True, 2)

    async def test_what_is_accepted_for_a_blocked_case_does_not_unblock_it(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        case = await world.claim_one()
        await world.report(case, [refused(case)])

        await world.accept(*arrivals("1", "b"))
        await world.forward(86_400_000)

        assert await world.claim() == []
        assert (await world.chapter("1:b")).behind == case.events[0].seq

    async def test_an_event_parked_alone_lets_its_case_go_on(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        case = await world.claim_one()

        await world.report(case, [refused(case, blocks=False)])

        assert await world.deliver_all() == ["1:b"]
        assert (await world.chapter("1:a")).state == "parked"
        (listed,) = await world.ledger.stories.parked()
        assert (listed.understood, listed.behind) == (False, 0)

    async def test_a_retry_opens_a_parked_event_once_and_in_its_place(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        case = await world.claim_one()
        await world.report(case, [refused(case)])
        seq = case.events[0].seq

        assert await world.ledger.stories.retry([seq, seq]) == [seq]
        assert await world.ledger.stories.retry([seq]) == []

        assert (await world.story()).pending == 2
        again = await world.claim_one()
        assert (names_of(again), again.attempts) == (["1:a", "1:b"], 0)
        await world.report(again, sent(*again.events))
        assert await world.ledger.stories.retry([seq]) == []

    async def test_a_retry_of_what_was_parked_alone_leaves_a_blocked_case_blocked(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b", "c"))
        case = await world.claim_one()
        await world.report(case, [refused(case, blocks=False), refused(case, 1)])

        assert await world.ledger.stories.retry([case.events[0].seq]) == [case.events[0].seq]

        assert await world.claim() == []
        assert (await world.story()).pending == 2

    async def test_a_retry_within_a_claimed_lane_waits_for_its_release(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        case = await world.claim_one("first")
        await world.report(case, [refused(case, blocks=False)], owner="first", release=None)

        await world.ledger.stories.retry([case.events[0].seq])

        assert await world.claim("second") == []
        await world.report(case, sent(case.events[1]), owner="first")
        assert names_of(await world.claim_one("second")) == ["1:a"]

    async def test_a_retry_does_not_hurry_what_is_in_doubt(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        case = await world.claim_one()
        unconfirmed = Release(wait_ms=5_000, doubt=case.events[1].seq, failed=True, error="no answer")
        await world.report(case, [refused(case, blocks=False)], release=unconfirmed)

        await world.ledger.stories.retry([case.events[0].seq])

        assert await world.claim() == []
        await world.forward(5_000)
        again = await world.claim_one()
        assert names_of(again) == ["1:b", "1:a"], "what was parked alone comes after what had passed it"
        assert [event.in_doubt for event in again.events] == [True, False]

    async def test_what_held_up_its_case_keeps_its_turn_and_what_was_parked_alone_gets_a_new_one(
        self, world: World
    ) -> None:
        await world.accept(*arrivals("1", "a", "b", "c"))
        case = await world.claim_one()
        alone, blocking = refused(case, blocks=False), refused(case, place=1)
        await world.report(case, [alone, blocking], release=Release())

        await world.ledger.stories.retry([event.seq for event in case.events[:2]])
        (next_receipt,) = await world.accept(*arrivals("2", "later"))

        again, _ = await world.claim(room=5)
        assert names_of(again) == ["1:b", "1:c", "1:a"]
        turns = {name: event.turn for name, event in zip(names_of(again), again.events, strict=True)}
        assert turns["1:b"] == case.events[1].seq
        assert turns["1:a"] > case.events[2].seq
        assert next_receipt.seq is not None
        assert next_receipt.seq > turns["1:a"], "no event gets a number that was a turn"

    async def test_only_what_is_parked_and_names_a_case_can_be_retried(self, world: World) -> None:
        receipts = await world.accept(*arrivals("1", "a"))
        (unreadable,) = await world.accept(an_arrival("lost", case=None))
        assert unreadable.seq is not None
        assert receipts[0].seq is not None

        assert await world.ledger.stories.retry([receipts[0].seq, unreadable.seq, 999_999]) == []

    async def test_many_events_are_retried_in_one_go(self, world: World) -> None:
        await world.accept(*arrivals("2", "a"), *arrivals("1", "a"), *arrivals("3", "a"))
        cases = await world.claim()
        reports = [LaneReport(case.case_id, case.fence, (refused(case),), None, Release()) for case in cases]
        await world.ledger.lanes.tick("worker", reports, room=0, lease_ms=LEASE_MS)

        reopened = await world.ledger.stories.retry([case.events[0].seq for case in reversed(cases)])

        assert reopened == sorted(case.events[0].seq for case in cases)
        assert len(await world.claim()) == 3
