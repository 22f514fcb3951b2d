"""Operating: the feeds, the pauses, the audit trail, the counts."""

import asyncio
from dataclasses import asdict

from relais.ledger.ports import Done, How, LaneReport, Release, Standing
from relais.ledger.tables import OUTCOME_DUE, READY_DUE
from tests.contract.ledger_world import LEASE_MS, World, an_arrival, arrivals, names_of, sent

A_STANDING = Standing("crm_cmt", "C-7", None, "https://crm.example/C-7", 1, "{}")


class OperatingPromises:
    async def test_an_event_is_announced_until_it_was_published(self, world: World) -> None:
        feeds = world.ledger.feeds
        await world.accept(*arrivals("1", "a", "b"))

        (first, second) = await feeds.due(10)
        assert (first.bits, first.key, first.source) == (READY_DUE, "fixmystreet:1", "fixmystreet")
        assert await feeds.due(1) == [first]
        await feeds.published([first])

        assert await feeds.due(10) == [second]

    async def test_an_outcome_between_reading_and_marking_is_announced_too(self, world: World) -> None:
        feeds = world.ledger.feeds
        await world.accept(*arrivals("1", "a"))
        ready = await feeds.due(10)
        case = await world.claim_one()
        done = Done(case.events[0].seq, how=How.SENT, summary='{"type": "report"}')
        await world.report(case, [done], standing=A_STANDING)

        await feeds.published(ready)

        (outcome,) = await feeds.due(10)
        assert (outcome.bits, outcome.summary, outcome.link) == (OUTCOME_DUE, done.summary, A_STANDING.link)
        await feeds.published([outcome])
        assert await feeds.due(10) == []

    async def test_a_second_outcome_between_reading_and_marking_is_announced_too(self, world: World) -> None:
        feeds = world.ledger.feeds
        await world.accept(*arrivals("1", "a"))
        case = await world.claim_one()
        await world.report(case, [Done(case.events[0].seq, code="refused", reason="no", blocks=True)])
        parked = await feeds.due(10)
        await world.forward(1_000)
        await world.ledger.stories.retry([case.events[0].seq])
        await world.deliver_all()

        await feeds.published(parked)

        assert [announcement.bits & OUTCOME_DUE for announcement in await feeds.due(10)] == [OUTCOME_DUE]

    async def test_a_paused_sink_says_why_until_it_is_resumed(self, world: World) -> None:
        sinks = world.ledger.sinks
        assert await sinks.paused() == {}
        await sinks.pause("crm_cmt", "wrong token")
        async with world.another() as other:
            assert await other.sinks.paused() == {"crm_cmt": "wrong token"}

        assert await sinks.resume("crm_cmt")
        assert not await sinks.resume("crm_cmt")
        assert not await sinks.resume("never heard of")
        assert await sinks.paused() == {}

    async def test_resuming_a_sink_hurries_its_cases_and_those_not_sent_anywhere_yet(self, world: World) -> None:
        for number in ("1", "2", "3"):
            await world.accept(*arrivals(number, "a"))
        for case in await world.claim():
            number = case.key[-1]
            standing = {"1": A_STANDING, "2": Standing("other", "X", None, None, 1, "{}"), "3": None}[number]
            await world.report(case, release=Release(wait_ms=60_000), standing=standing)
        await world.ledger.sinks.pause("crm_cmt", "wrong token")

        await world.ledger.sinks.resume("crm_cmt")

        assert sorted(case.key for case in await world.claim()) == ["fixmystreet:1", "fixmystreet:3"]

    async def test_resuming_a_sink_does_not_hurry_what_is_in_doubt(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        case = await world.claim_one()
        release = Release(wait_ms=60_000, doubt=case.events[0].seq)
        await world.report(case, release=release, standing=A_STANDING)
        await world.ledger.sinks.pause("crm_cmt", "wrong token")

        await world.ledger.sinks.resume("crm_cmt")

        assert await world.claim() == []

    async def test_an_untouched_audit_trail_holds(self, world: World) -> None:
        assert await world.ledger.audit.first_broken() is None
        async with world.another() as other:
            await asyncio.gather(
                *(
                    ledger.audit.add(f"clerk-{index}", "retry", f"event {index}", "été" if index % 2 else None)
                    for index, ledger in enumerate([world.ledger, other] * 5)
                )
            )

        assert await world.ledger.audit.first_broken() is None
        assert len(await world.sql("SELECT id FROM audit")) == 10

    async def test_a_changed_audit_entry_is_found(self, world: World) -> None:
        for column in ("at = at + 1", "actor = 'x'", "action = 'x'", "subject = 'x'", "detail = 'x'", "detail = ''"):
            await world.sql("DELETE FROM audit")
            second = await _three_entries(world)

            await world.sql(f"UPDATE audit SET {column} WHERE id = :id", id=second)

            assert await world.ledger.audit.first_broken() == second

    async def test_a_removed_audit_entry_is_found(self, world: World) -> None:
        for place in (0, 1):
            await world.sql("DELETE FROM audit")
            await _three_entries(world)
            ids = [row.id for row in await world.sql("SELECT id FROM audit ORDER BY id")]

            await world.sql("DELETE FROM audit WHERE id = :id", id=ids[place])

            assert await world.ledger.audit.first_broken() == ids[place + 1]

    async def test_the_backlog_counts_each_event_once(self, world: World) -> None:
        await world.accept(an_arrival("lost", case=None), *arrivals("1", "a", "b", "c", "d", "e"), *arrivals("2", "a"))
        await world.accept(an_arrival("1:a", content="other"))
        (case,) = await world.claim(room=1)
        a, b, c, d, _ = case.events
        done = (
            Done(a.seq, how=How.SENT),
            Done(b.seq, how=How.SUPERSEDED),
            Done(c.seq, code="refused", reason="no", blocks=False),
        )
        await world.report(case, done, release=Release(wait_ms=9_000, doubt=d.seq))

        assert asdict(await world.ledger.stories.backlog()) == {
            "accepted": 7, "delivered": 2, "superseded": 1, "waiting": 2, "in_doubt": 1, "parked": 2, "conflicts": 1,
            "cases": 2,
        }  # fmt: skip
        assert await world.ledger.stories.parked_by_code() == {"refused": 1, "unreadable": 1}

    async def test_the_age_is_that_of_the_oldest_unfinished_event(self, world: World) -> None:
        assert await world.ledger.stories.unfinished() == (0, 0)
        await world.accept(*arrivals("1", "a"))
        await world.forward(7_000)
        await world.accept(*arrivals("2", "a"))
        await world.forward(1_000)

        assert await world.ledger.stories.unfinished() == (2, 8_000)
        (case,) = await world.claim(room=1)
        await world.report(case, sent(*case.events))
        assert await world.ledger.stories.unfinished() == (1, 1_000)

    async def test_a_story_is_found_by_every_name_of_the_case(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        case = await world.claim_one()
        await world.report(case, sent(*case.events), standing=A_STANDING)
        await world.sql("INSERT INTO case_keys (key, case_id) VALUES ('nova:abc', :id)", id=case.case_id)

        stories = [await world.ledger.stories.story(name) for name in ("fixmystreet:1", "fixmystreet-1", "nova:abc")]

        assert stories[0] == stories[1] == stories[2]
        assert stories[0] is not None
        assert stories[0].names == ("fixmystreet:1", "nova:abc")
        assert (stories[0].remote_id, stories[0].pending) == ("C-7", 0)
        assert await world.ledger.stories.story("fixmystreet:2") is None

    async def test_what_comes_under_another_name_of_a_case_takes_its_lane(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        ((case_id,),) = await world.sql("SELECT id FROM cases")
        await world.sql("INSERT INTO case_keys (key, case_id) VALUES ('fixmystreet:77', :id)", id=case_id)

        await world.accept(*arrivals("77", "b"), *arrivals("1", "c"))

        assert names_of(await world.claim_one()) == ["1:a", "77:b", "1:c"]

    async def test_a_tick_with_many_lanes_is_one_step(self, world: World) -> None:
        await world.accept(*(an_arrival(f"e{number}", case=str(number)) for number in range(60)))
        cases = await world.claim()

        reports = [LaneReport(case.case_id, case.fence, sent(*case.events), A_STANDING, Release()) for case in cases]
        tick = await world.ledger.lanes.tick("worker", reports, room=10, lease_ms=LEASE_MS)

        assert (len(tick.held), tick.claimed) == (60, ())
        assert (await world.ledger.stories.backlog()).delivered == 60


async def _three_entries(world: World) -> int:
    """Write three entries; the id of the second."""
    for index in range(3):
        await world.ledger.audit.add("clerk", "look", f"event {index}", "body")
    second: int = (await world.sql("SELECT id FROM audit ORDER BY id"))[1].id
    return second
