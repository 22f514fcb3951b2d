"""What every source promises the engine. Inherit it, and give the fixture ``subject``."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from connectors.kit.errors import RejectedError
from connectors.kit.ports import Observation, Source, StoredEvent, UnauthenticatedError
from schemas.base import Identifier
from schemas.case import CaseEvent, CaseFacts, CaseKey, Status
from tests.contract.keeper import Keeper, KilledError

RECEIVED_AT = datetime(2026, 5, 20, 10, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def fingerprint(text: str) -> str:
    """Stands in for the installation's keyed digest."""
    return f"{hash(('contract', text)) & (2**128 - 1):032x}"


@dataclass(frozen=True)
class GenuinePush:
    """A push that must be let in by the door, with the headers that make it so."""

    door: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Subject:
    """A source over an upstream that holds a few things, and what the promises need to be tried on it.

    ``out_of_reach`` is the same source with nobody at the other end; ``secrets`` are texts that only personal fields or
    settings hold.
    """

    source: Source
    out_of_reach: Source
    pushes: Sequence[GenuinePush] = ()
    secrets: Sequence[str] = ()


def stored(source: Source, door: str, event_id: str, case_key: str, body: bytes, *, test: bool = False) -> StoredEvent:
    """An event as the ledger would give it back."""
    return StoredEvent(source.name, door, event_id, case_key, body, RECEIVED_AT, test)


async def everything_of(subject: Subject) -> list[tuple[str, Observation]]:
    """Every observation that the polls hand over, with its door."""
    seen = []
    for poll in subject.source.polls:
        keeper = Keeper()
        await keeper.run(poll)
        seen += [(poll.door, observation) for page in keeper.pages for observation in page.observations]
    return seen


async def events_of(subject: Subject) -> list[StoredEvent]:
    """One event of everything that the subject can tell."""
    source = subject.source
    events = []
    for push in subject.pushes:
        webhook = next(door for door in source.webhooks if door.door == push.door)
        arrival = webhook.arrival(json.loads(push.body), push.body)
        assert arrival.case_key is not None
        events.append(stored(source, push.door, arrival.event_id, arrival.case_key, push.body))
    for number, (door, seen) in enumerate(await everything_of(subject)):
        events.append(stored(source, door, f"seen:{seen.external_id}:{number}", seen.case_key, seen.body))
    assert events, "a subject must have something to tell"
    return events


class SourceContract:
    """The promises. A source without webhooks or without polls keeps those about them by having none."""

    # --- what it says of itself ---

    def test_its_name_can_be_the_first_half_of_a_case_key(self, subject: Subject) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", subject.source.name)

    def test_its_doors_and_polls_have_names_of_their_own(self, subject: Subject) -> None:
        pushed = [webhook.door for webhook in subject.source.webhooks]
        polls = [poll.name for poll in subject.source.polls]
        assert len(set(pushed)) == len(pushed)
        assert len(set(polls)) == len(polls)
        assert not set(pushed) & {poll.door for poll in subject.source.polls}

    def test_its_precedence_speaks_of_real_fields_and_doors(self, subject: Subject) -> None:
        source = subject.source
        doors = {webhook.door for webhook in source.webhooks} | {poll.door for poll in source.polls}
        assert "*" in source.precedence
        assert set(source.precedence) - {"*"} <= set(CaseFacts.model_fields)
        for order in source.precedence.values():
            assert set(order) <= doors
            assert len(set(order)) == len(order) > 0
        assert set(source.precedence["*"]) == doors

    def test_its_rhythms_and_limits_are_bounded(self, subject: Subject) -> None:
        assert all(poll.every > timedelta(0) for poll in subject.source.polls)
        assert all(0 < webhook.body_limit <= 64 * 1024 * 1024 for webhook in subject.source.webhooks)

    # --- pushed ---

    def test_a_genuine_push_is_let_in_and_one_changed_byte_is_not(self, subject: Subject) -> None:
        for push in subject.pushes:
            webhook = next(door for door in subject.source.webhooks if door.door == push.door)
            webhook.authenticate(push.headers, push.body)
            with pytest.raises(UnauthenticatedError):
                webhook.authenticate(push.headers, push.body + b" ")
            with pytest.raises(UnauthenticatedError):
                webhook.authenticate({}, push.body)

    def test_the_same_push_arrives_under_the_same_name(self, subject: Subject) -> None:
        for push in subject.pushes:
            webhook = next(door for door in subject.source.webhooks if door.door == push.door)
            document = json.loads(push.body)
            assert webhook.arrival(document, push.body) == webhook.arrival(document, push.body)

    def test_an_arrival_never_raises_and_says_its_case_or_its_trouble(self, subject: Subject) -> None:
        @given(JSON)
        def arrives(document: Any) -> None:
            body = json.dumps(document).encode()
            for webhook in subject.source.webhooks:
                arrival = webhook.arrival(document, body)
                assert (arrival.source, arrival.door, arrival.body) == (subject.source.name, webhook.door, body)
                TypeAdapter(Identifier).validate_python(arrival.event_id)
                assert (arrival.case_key is None) == bool(arrival.trouble)

        arrives()

    # --- polled ---

    async def test_what_is_seen_names_its_case_and_its_cursor_can_be_stored(self, subject: Subject) -> None:
        for poll in subject.source.polls:
            keeper = Keeper()
            await keeper.run(poll)
            for page in keeper.pages:
                assert json.loads(json.dumps(dict(page.cursor))) == dict(page.cursor)
                for seen in page.observations:
                    TypeAdapter(CaseKey).validate_python(seen.case_key)
                    assert seen.case_key.startswith(f"{subject.source.name}:")

    async def test_a_second_run_over_an_unchanged_upstream_has_no_news(self, subject: Subject) -> None:
        for poll in subject.source.polls:
            keeper = Keeper()
            await keeper.run(poll)
            before = dict(keeper.contents)
            await keeper.run(poll)
            assert keeper.contents == before

    async def test_all_polls_and_a_direct_look_agree_on_the_state_of_a_thing(self, subject: Subject) -> None:
        states: dict[str, set[str]] = {}
        for _, seen in await everything_of(subject):
            states.setdefault(seen.external_id, set()).add(seen.content)
        for poll in subject.source.polls:
            for seen in (await poll.look_again(list(states))).present:
                states[seen.external_id].add(seen.content)
        assert all(len(contents) == 1 for contents in states.values())

    async def test_a_kill_between_any_two_pages_loses_nothing(self, subject: Subject) -> None:
        for poll in subject.source.polls:
            whole = Keeper()
            await whole.run(poll)
            for page in range(len(whole.pages)):
                keeper = Keeper()
                keeper.dies_after = page
                # A first run may hand over more than later ones do, such as a catalogue, so not every kill strikes.
                with suppress(KilledError):
                    await keeper.run(poll)
                keeper.dies_after = None
                await keeper.run(poll)
                assert keeper.contents == whole.contents

    async def test_a_cursor_of_another_release_means_to_start_anew(self, subject: Subject) -> None:
        for poll in subject.source.polls:
            whole, keeper = Keeper(), Keeper()
            await whole.run(poll)
            keeper.cursors[poll.name] = {"of": "another release", "page": "seven"}
            await keeper.run(poll)
            assert keeper.contents == whole.contents

    async def test_what_is_gone_becomes_a_removed_case(self, subject: Subject) -> None:
        seen = await everything_of(subject)
        for poll in subject.source.polls:
            for _, last in seen[:1]:
                for body in (last.body, None):
                    gone = poll.gone(last.external_id, body)
                    assert gone.case_key == last.case_key
                    assert gone.content != last.content
                    event = stored(subject.source, poll.door, "gone:1", gone.case_key, gone.body)
                    assert subject.source.translate(event, fingerprint).facts.status is Status.REMOVED

    async def test_what_was_kept_is_read_back_as_it_was_seen(self, subject: Subject) -> None:
        seen = await everything_of(subject)
        for poll in subject.source.polls:
            of_this_door = [observation for door, observation in seen if door == poll.door]
            for observation in (*of_this_door, *(poll.gone(last.external_id, last.body) for last in of_this_door[:1])):
                assert poll.recorded(json.loads(observation.body)) == observation

    def test_reading_back_what_is_not_ours_says_nothing_and_does_not_raise(self, subject: Subject) -> None:
        @given(JSON)
        def is_read_back(document: Any) -> None:
            for poll in subject.source.polls:
                assert poll.recorded(document) is None

        is_read_back()

    # --- translated ---

    async def test_translation_says_the_same_twice_and_keeps_the_event_s_names(self, subject: Subject) -> None:
        for event in await events_of(subject):
            said = subject.source.translate(event, fingerprint)
            assert said == subject.source.translate(event, fingerprint)
            assert (said.key, said.source, said.door) == (event.case_key, event.source, event.door)
            assert (said.event_id, said.test) == (event.event_id, event.test)

    async def test_what_is_translated_survives_the_wire(self, subject: Subject) -> None:
        for event in await events_of(subject):
            said = subject.source.translate(event, fingerprint)
            assert CaseEvent.model_validate_json(said.model_dump_json()) == said

    def test_translation_of_anything_raises_rejected_or_nothing(self, subject: Subject) -> None:
        source = subject.source
        doors = {webhook.door for webhook in source.webhooks} | {poll.door for poll in source.polls}

        @given(JSON)
        def is_translated(document: Any) -> None:
            for door in doors:
                event = stored(source, door, "an-event", f"{source.name}:1", json.dumps(document).encode())
                with suppress(RejectedError):
                    source.translate(event, fingerprint)

        is_translated()

    async def test_no_secret_is_shown_by_what_is_translated(self, subject: Subject) -> None:
        told = [subject.source.translate(event, fingerprint) for event in await events_of(subject)]
        assert any(secret in said.model_dump_json() for secret in subject.secrets for said in told)
        for secret in subject.secrets:
            assert not any(secret in repr(said) for said in told)

    # --- checked ---

    async def test_a_check_says_in_one_line_whether_it_can_be_reached(self, subject: Subject) -> None:
        reached, not_reached = await subject.source.check(), await subject.out_of_reach.check()
        assert reached.ok
        assert not not_reached.ok
        for health in (reached, not_reached):
            assert health.detail
            assert "\n" not in health.detail
            assert not any(secret in health.detail for secret in subject.secrets)
