"""Lanes: first come first served, one owner a case, fences, leases, doubt."""

import asyncio

from relais.ledger.lanes import EVENTS_PER_CLAIM
from relais.ledger.ports import Done, How, LaneReport, Release, Standing
from tests.contract.ledger_world import LEASE_MS, SETTLES_MS, World, an_arrival, arrivals, names_of, sent


class LanePromises:
    async def test_cases_are_claimed_first_come_first_served(self, world: World) -> None:
        for case in ("5", "3", "9"):
            await world.accept(*arrivals(case, "a"))
            await world.forward(1)
        await world.accept(*arrivals("5", "b"))

        claimed = [(await world.claim(room=1))[0].key for _ in range(3)]

        assert claimed == ["fixmystreet:5", "fixmystreet:3", "fixmystreet:9"]
        assert await world.claim() == []

    async def test_cases_of_one_moment_are_claimed_in_the_order_of_their_events(self, world: World) -> None:
        await world.accept(*arrivals("5", "a"), *arrivals("3", "a"), *arrivals("9", "a"))

        claimed = [(await world.claim(room=1))[0].key for _ in range(3)]

        assert claimed == ["fixmystreet:5", "fixmystreet:3", "fixmystreet:9"]

    async def test_no_more_cases_are_claimed_than_there_is_room_for(self, world: World) -> None:
        await world.accept(*(an_arrival(f"e{number}", case=str(number)) for number in range(7)))

        assert [len(await world.claim(room=3)) for _ in range(4)] == [3, 3, 1, 0]

    async def test_a_case_has_one_owner_however_many_claim_at_once(self, world: World) -> None:
        await world.accept(*(an_arrival(f"e{number}", case=str(number)) for number in range(20)))
        async with world.another() as other:
            ticks = await asyncio.gather(
                *(
                    ledger.lanes.tick(f"worker-{index}-{name}", (), room=5, lease_ms=LEASE_MS)
                    for index in range(4)
                    for name, ledger in (("a", world.ledger), ("b", other))
                )
            )

        claimed = [case.case_id for tick in ticks for case in tick.claimed]
        assert len(claimed) == len(set(claimed)) <= 20
        assert all(len(tick.claimed) <= 5 for tick in ticks)
        assert len(claimed) + len(await world.claim()) == 20

    async def test_a_long_lane_is_handed_out_in_pieces_and_in_order(self, world: World) -> None:
        names = [f"{index:03}" for index in range(EVENTS_PER_CLAIM + 3)]
        await world.accept(*arrivals("1", *names))

        first = await world.claim_one()
        assert (len(first.events), first.more) == (EVENTS_PER_CLAIM, True)
        await world.report(first, sent(*first.events))
        second = await world.claim_one()

        assert (len(second.events), second.more) == (3, False)
        assert names_of(first) + names_of(second) == [f"1:{name}" for name in names]
        assert not any(event.in_doubt for event in second.events)

    async def test_a_lane_goes_on_over_several_reports(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        case = await world.claim_one()

        assert await world.report(case, sent(case.events[0]), release=None)
        assert await world.claim("other") == []
        assert await world.report(case, sent(case.events[1]))

        assert await world.claim("other") == []
        assert (await world.ledger.stories.backlog()).delivered == 2

    async def test_what_is_known_of_a_case_is_handed_to_its_next_owner(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        standing = Standing("crm_cmt", "C-" + "7" * 400, '"etag"', "https://crm.example/C-7", 4, '{"facts": {}}')
        case = await world.claim_one()
        await world.report(case, sent(*case.events), standing=standing)
        await world.accept(*arrivals("1", "b"))
        case = await world.claim_one()
        await world.report(case, release=Release(failed=True, error="busy"))

        case = await world.claim_one()

        assert (case.sink, case.remote_id, case.etag) == (standing.sink, standing.remote_id, standing.etag)
        assert (case.link, case.version, case.state) == (standing.link, standing.version, standing.state)

    async def test_failures_are_counted_until_something_is_finished(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        first = await world.claim_one()
        await world.report(first, release=Release(failed=True, error="busy"))
        await world.forward(1_000)
        second = await world.claim_one()
        await world.report(second, release=Release(failed=True, error="busy still"))
        third = await world.claim_one()

        assert [case.attempts for case in (first, second, third)] == [0, 1, 2]
        assert first.failing_since is None
        assert second.failing_since is not None
        assert third.failing_since == second.failing_since
        assert (await world.story()).last_error == "busy still"

        await world.report(third, sent(third.events[0]))
        last = await world.claim_one()
        assert (last.attempts, last.failing_since, (await world.story()).last_error) == (0, None, None)

    async def test_a_report_under_an_old_fence_changes_nothing(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        old = await world.claim_one("old")
        await world.forward(LEASE_MS + 1)
        assert await world.ledger.lanes.expire(settles_ms=0) == 1
        new = await world.claim_one("new")

        done = (Done(old.events[0].seq, code="refused", reason="no", blocks=True),)
        standing = Standing("crm_cmt", "other", None, None, 9, "{}")
        assert not await world.report(old, done, owner="old", standing=standing)
        # not even under the new owner's name
        assert not await world.report(old, done, owner="new", standing=standing)

        story = await world.story()
        assert (story.owner, story.pending, story.remote_id, story.blocked_seq) == ("new", 1, None, None)
        assert [chapter.state for chapter in story.chapters] == ["in doubt"]
        assert await world.report(new, sent(*new.events), owner="new")

    async def test_a_worker_that_lost_one_lane_keeps_the_others(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"), *arrivals("2", "a"))
        lost, kept = await world.claim("old")
        await world.sql("UPDATE cases SET fence = fence + 1 WHERE id = :id", id=lost.case_id)

        reports = [LaneReport(case.case_id, case.fence, sent(*case.events), None, Release()) for case in (lost, kept)]
        tick = await world.ledger.lanes.tick("old", reports, room=0, lease_ms=LEASE_MS)

        assert tick.held == {kept.case_id}
        assert (await world.ledger.stories.backlog()).delivered == 1

    async def test_a_report_repeated_because_its_answer_was_lost_counts_once(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        case = await world.claim_one()

        assert await world.report(case, sent(case.events[0]), release=None)
        assert await world.report(case, sent(case.events[0]), release=Release())

        assert (await world.story()).pending == 1
        assert names_of(await world.claim_one()) == ["1:b"]

    async def test_a_report_of_a_lane_finishes_nothing_in_another(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"), *arrivals("2", "a"))
        first, second = await world.claim()

        await world.report(first, sent(*second.events), release=None)

        assert (await world.ledger.stories.backlog()).delivered == 0
        assert await world.report(second, sent(*second.events))

    async def test_a_lease_that_ran_out_leaves_its_doubt_and_frees_the_case_after_it_settles(
        self, world: World
    ) -> None:
        await world.accept(*arrivals("1", "a"))
        await world.claim_one("old")
        await world.accept(*arrivals("1", "b"))

        assert await world.ledger.lanes.expire(settles_ms=SETTLES_MS) == 0
        await world.forward(LEASE_MS + 1)
        assert await world.ledger.lanes.expire(settles_ms=SETTLES_MS) == 1

        assert await world.claim("new") == []
        assert await world.ledger.lanes.milliseconds_to_next() == SETTLES_MS - 1
        await world.forward(SETTLES_MS - 1)
        case = await world.claim_one("new")
        assert [event.in_doubt for event in case.events] == [True, False]

    async def test_doubt_survives_a_second_lost_lease(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        for owner in ("first", "second"):
            await world.claim_one(owner)
            await world.forward(LEASE_MS + 1)
            await world.ledger.lanes.expire(settles_ms=0)
        await world.accept(*arrivals("1", "b"))

        assert [event.in_doubt for event in (await world.claim_one()).events] == [True, False]

    async def test_a_renewed_lease_does_not_run_out(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"), *arrivals("2", "a"), *arrivals("3", "a"))
        first, second, lost = await world.claim()
        await world.forward(LEASE_MS - 1)
        fences = {first.case_id: first.fence, lost.case_id: lost.fence + 1}

        assert await world.ledger.lanes.renew("worker", fences, lease_ms=LEASE_MS) == {first.case_id}
        assert await world.ledger.lanes.renew("other", {second.case_id: second.fence}, lease_ms=LEASE_MS) == frozenset()

        await world.forward(LEASE_MS)
        assert await world.ledger.lanes.expire(settles_ms=0) == 2
        assert await world.report(first, sent(*first.events))
        assert not await world.report(second, sent(*second.events))

    async def test_a_lane_let_go_with_a_wait_is_not_claimable_before_its_time(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        await world.report(await world.claim_one(), release=Release(wait_ms=60_000))

        assert await world.ledger.lanes.milliseconds_to_next() == 60_000
        await world.forward(59_999)
        assert await world.claim() == []
        await world.forward(1)
        assert names_of(await world.claim_one()) == ["1:a"]
        assert await world.ledger.lanes.milliseconds_to_next() is None

    async def test_only_what_may_have_arrived_is_in_doubt_at_the_next_claim(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b", "c"))
        case = await world.claim_one()
        await world.report(case, sent(case.events[0]), release=Release(doubt=case.events[1].seq))
        backlog = await world.ledger.stories.backlog()
        assert (backlog.delivered, backlog.in_doubt, backlog.waiting) == (1, 1, 1)

        case = await world.claim_one()
        assert [(event.event.event_id, event.in_doubt) for event in case.events] == [("1:b", True), ("1:c", False)]
        await world.report(case, release=Release(doubt=0))

        assert not any(event.in_doubt for event in (await world.claim_one()).events)

    async def test_a_claimed_event_counts_as_in_doubt_until_something_is_known(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        await world.claim_one()
        await world.accept(*arrivals("1", "b"))

        assert [chapter.state for chapter in (await world.story()).chapters] == ["in doubt", "waiting"]

    async def test_a_worker_frees_what_its_earlier_life_held(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"), *arrivals("2", "a"))
        (mine,) = await world.claim("me", room=1)
        (other,) = await world.claim("other", room=1)

        assert await world.ledger.lanes.let_go("me", settles_ms=SETTLES_MS) == 1

        assert await world.claim("me") == []
        await world.forward(SETTLES_MS)
        again = await world.claim_one("me")
        assert (again.case_id, again.events[0].in_doubt) == (mine.case_id, True)
        assert not await world.report(mine, sent(*mine.events), owner="me")
        assert await world.report(other, sent(*other.events), owner="other")

    async def test_reports_and_claims_go_in_one_transaction(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"), *arrivals("2", "a"))
        (case,) = await world.claim(room=1)

        report = LaneReport(case.case_id, case.fence, sent(*case.events), None, Release())
        tick = await world.ledger.lanes.tick("worker", [report], room=5, lease_ms=LEASE_MS)

        assert tick.held == {case.case_id}
        assert [claimed.key for claimed in tick.claimed] == ["fixmystreet:2"]

    async def test_what_a_system_said_may_hold_what_a_database_refuses(self, world: World) -> None:
        await world.accept(*arrivals("1", "a", "b"))
        case = await world.claim_one()
        hostile = "no\x00 \ud800 way" + "!" * 5_000
        parked = Done(case.events[0].seq, code="refused", reason=hostile, rule=hostile, summary=hostile)
        standing = Standing("crm_cmt", hostile, hostile, hostile, 1, "{}")

        release = Release(failed=True, error=hostile)
        assert await world.report(case, [parked], release=release, standing=standing)

        story = await world.story()
        assert (story.last_error or "").startswith("no")
        assert "\x00" not in f"{story.last_error}{story.remote_id}{story.chapters[0].reason}"
        assert names_of(await world.claim_one()) == ["1:b"]

    async def test_each_way_of_being_done_is_told(self, world: World) -> None:
        await world.accept(*arrivals("1", *How))
        case = await world.claim_one()

        done = [Done(event.seq, how=how, rule="rule-7") for event, how in zip(case.events, How, strict=True)]
        await world.report(case, done)

        told = {chapter.how: (chapter.state, chapter.rule) for chapter in (await world.story()).chapters}
        assert told == {how: ("skipped" if how is How.SKIPPED else "delivered", "rule-7") for how in How}
        assert await world.claim() == []
