"""A human sees all that happened to a case, and personal data only when asked for, and then it is written down."""

import json
from dataclasses import asdict

import pytest

from connectors.kit.errors import RejectedError, TemporaryError, UnconfirmedError
from connectors.kit.ports import Arrival
from relais.operations.stories import SHOW_PERSONAL, CaseTold, EventAlone, tell_case, tell_event
from routing.choose import Rules
from tests.contract.ledger_world import START_MS
from tests.doubles.scripted import a_body, an_event
from tests.unit.operations.world import ACTOR, SCRIPTED, Desk
from tests.unit.routing.builders import a_rule, rules_of


async def told(desk: Desk, name: str = "scripted:a", *, personal: bool = False, rules: Rules | None = None) -> CaseTold:
    story = await tell_case(desk.ledger, SCRIPTED, name, personal=personal, actor=ACTOR, rules=rules)
    assert story is not None
    return story


@pytest.mark.parametrize("name", ["scripted:a", "scripted-a", "other:name"])
async def test_a_case_is_found_by_its_key_its_reference_and_any_other_name(desk: Desk, name: str) -> None:
    await desk.world.accept(an_event(1, "a", a_body()))
    await desk.world.sql("INSERT INTO case_keys (key, case_id) SELECT 'other:name', id FROM cases")
    story = await told(desk, name)
    assert (story.key, story.names) == ("scripted:a", ("other:name", "scripted:a"))


async def test_a_name_that_nobody_has_is_no_case(desk: Desk) -> None:
    assert await tell_case(desk.ledger, SCRIPTED, "scripted:b", personal=True, actor=ACTOR) is None
    assert await desk.audited() == []


async def test_a_delivered_event_says_how_where_to_and_by_which_rule(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("open", status="received")))
    await desk.deliver()
    story = await told(desk)
    (event,) = story.events
    assert (event.state, event.explanation, event.rule) == ("delivered", "sent to the CRM", "street-furniture")
    assert (story.sink, story.remote_id, story.link) == ("crm", "id-scripted-a", "https://crm.example/1")
    assert event.received_at.timestamp() * 1000 == START_MS
    assert story.decision is not None
    assert story.decision["case_type"] == "street_furniture"
    assert story.facts is not None
    assert (story.facts["status"], story.facts["source_status"]) == ("received", "open")


async def test_a_waiting_event_says_until_when_and_after_what(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body()))
    await desk.deliver(TemporaryError("busy", code="busy"))
    (event,) = (await told(desk)).events
    assert (event.state, event.explanation) == ("waiting", "to be delivered after 1 failed tries: busy")
    assert event.next_try_at is not None
    assert event.next_try_at.timestamp() * 1000 == START_MS + 60_000


async def test_an_event_in_doubt_says_that_we_look_before_sending_again(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body()))
    await desk.deliver(UnconfirmedError("no answer", code="timeout"))
    (event,) = (await told(desk)).events
    assert event.state == "in doubt"
    assert "look before sending again" in event.explanation


async def test_what_waits_behind_a_parked_event_says_behind_which(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("a", milestone=True)), an_event(2, "a", a_body("b")))
    await desk.deliver(RejectedError("the CRM does not accept postal_code", code="invalid_field"))
    story = await told(desk)
    parked, behind = story.events
    assert (parked.state, parked.code) == ("parked", "invalid_field")
    assert parked.explanation == "the CRM does not accept postal_code, the case waits for it"
    assert (behind.state, behind.behind, story.blocked_by) == ("waiting", parked.seq, parked.seq)


async def test_a_case_of_a_paused_sink_says_so(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("a")))
    await desk.deliver()
    await desk.world.accept(an_event(2, "a", a_body("b")))
    await desk.ledger.sinks.pause("crm", "the token is refused")
    story = await told(desk)
    assert story.paused_sinks == {"crm": "the token is refused"}
    assert story.events[1].explanation == "crm is paused: the token is refused"


async def test_a_case_that_the_crm_does_not_have_yet_waits_for_any_paused_sink_that_may_get_it(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("a")))
    await desk.ledger.sinks.pause("crm", "the token is refused")
    story = await told(desk)
    assert story.paused_sinks == {"crm": "the token is refused"}
    assert story.events[0].explanation == "waiting, while sink crm is paused: the token is refused"


async def test_a_case_is_not_said_to_wait_for_the_pause_of_another_sink(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("a")))
    await desk.deliver()
    await desk.world.accept(an_event(2, "a", a_body("b")))
    await desk.ledger.sinks.pause("elsewhere", "the token is refused")
    story = await told(desk)
    assert story.paused_sinks == {}
    assert story.events[1].explanation == "to be delivered"


async def test_an_event_that_names_no_case_is_told_by_its_number(desk: Desk) -> None:
    body = b'{"who": "Lucie Vanhamme"}'
    (receipt,) = await desk.world.accept(Arrival("scripted", "webhook", "e1", None, body, trouble="no number in it"))
    assert receipt.seq is not None
    hidden = await tell_event(desk.ledger, receipt.seq, personal=False, actor=ACTOR)
    assert hidden is not None
    assert (hidden.key, hidden.event.door, hidden.event.event_id) == (None, "webhook", "e1")
    assert (hidden.event.state, hidden.event.code, hidden.event.body) == ("parked", "unreadable", None)
    assert hidden.event.explanation == "no number in it"
    assert hidden.event.received_at.timestamp() * 1000 == START_MS
    assert await desk.audited() == []

    shown = await tell_event(desk.ledger, receipt.seq, personal=True, actor=ACTOR)
    assert shown is not None
    assert shown.event.body == body.decode()
    assert await desk.audited() == [(ACTOR, SHOW_PERSONAL, f"event {receipt.seq}", None)]


async def test_an_event_of_a_case_is_told_as_its_case_tells_it(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("a", milestone=True)), an_event(2, "a", a_body("b")))
    await desk.deliver(RejectedError("the CRM does not accept postal_code", code="invalid_field"))
    for event in (await told(desk)).events:
        alone = await tell_event(desk.ledger, event.seq, personal=False, actor=ACTOR)
        assert alone == EventAlone("scripted:a", event)


@pytest.mark.parametrize("seq", [0, 404, 2**63])
async def test_a_number_that_no_event_has_is_no_event(desk: Desk, seq: int) -> None:
    assert await tell_event(desk.ledger, seq, personal=True, actor=ACTOR) is None
    assert await desk.audited() == []


async def test_why_a_case_goes_where_it_goes_names_every_rule_tried(desk: Desk) -> None:
    rules = rules_of(a_rule("regional", road_managers=["regional"]), a_rule("rest"), source="scripted")
    await desk.world.accept(an_event(1, "a", a_body("a")))
    assert (await told(desk, rules=rules)).why == ("nothing is known of it before its first delivery",)
    await desk.deliver()
    why = (await told(desk, rules=rules)).why
    assert why is not None
    assert "  - regional: the road manager is not known, not regional" in why
    assert "  = rest: matches" in why
    assert why[-1] == "it keeps what street-furniture decided (rules 1) until what that rests on changes"
    assert (await told(desk)).why is None


async def test_another_content_under_the_same_id_is_told_with_its_event(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("a")), an_event(2, "a", a_body("b")))
    await desk.world.accept(an_event(1, "a", a_body("other")))
    assert [event.contradicted for event in (await told(desk)).events] == [1, 0]


async def test_personal_data_is_masked_unless_it_is_asked_for(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("open")))
    await desk.deliver()
    secret = "Lucie Vanhamme"
    (row,) = await desk.world.sql("SELECT state FROM cases")
    state = json.loads(row.state)
    state["views"]["webhook"]["facts"]["description"] = {"fr": secret}
    await desk.world.sql("UPDATE cases SET state = :state", state=json.dumps(state))
    await desk.world.sql("UPDATE events SET body = :body", body=json.dumps({"who": secret}).encode())

    hidden = await told(desk)
    assert secret not in str(asdict(hidden))
    assert hidden.facts is not None
    assert hidden.facts["description"] == "***"
    assert await desk.audited() == []

    shown = await told(desk, personal=True)
    assert shown.facts is not None
    assert shown.facts["description"] == {"fr": secret}
    assert secret in (shown.events[0].body or "")
    assert await desk.audited() == [(ACTOR, SHOW_PERSONAL, "scripted:a", None)]
