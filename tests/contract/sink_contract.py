"""What every sink promises the engine. Inherit it, and give the fixture ``subject``."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal, Protocol

import pytest

from connectors.kit.errors import ConnectorError, MisconfiguredError, RejectedError, TemporaryError, UnconfirmedError
from connectors.kit.ports import CaseChange, Delivered, Outcome, Remote, Sink
from schemas.case import Case, Status
from schemas.text import Localised
from tests.builders import a_case, a_decision, a_note, a_person, an_attachment, some_facts

Trouble = Literal["busy", "unavailable", "lost_answer", "lost_request", "gibberish", "gibberish_after", "broken_after"]
"""What may happen to a write: refused with a time to wait, done and not answered, answered with nonsense."""

WAIT: Final = timedelta(seconds=7)
"""How long a busy system asks to wait."""

SECRETS: Final = ("Hildegarde", "Vandersecret", "hildegarde@example.org", "+32 2 555 98 76", "Mon chat a disparu")
"""Texts that stand in personal fields of every case here and nowhere else."""


@dataclass(frozen=True)
class Held:
    """A case as the system at the other end holds it."""

    reference: str
    status: str
    notes: Sequence[str]
    attachments: Sequence[str]


class OtherEnd(Protocol):
    """The system that the sink writes to, seen from behind."""

    async def cases(self) -> Sequence[Held]:
        """Every case that it holds; one that it was made to create twice is there twice."""

    def next_write_meets(self, trouble: Trouble) -> None:
        """Let the next request that writes meet this, and none after it."""

    async def somebody_changes(self, reference: str) -> None:
        """Change a case as its own people would."""


@dataclass(frozen=True)
class Subject:
    """A sink over a system that holds nothing yet, and what the promises need to be tried on it.

    ``refused_case_type`` is one that the system does not know. ``stranger`` is the same sink with a wrong token,
    ``out_of_reach`` with nobody at the other end.
    """

    sink: Sink
    other_end: OtherEnd
    case_type: str
    refused_case_type: str
    stranger: Sink
    out_of_reach: Sink


class SinkContract:
    """The promises of the port ``Sink``."""

    @pytest.fixture
    def subject(self) -> AsyncIterator[Subject]:
        """The sink under test; a suite overrides it."""
        raise AssertionError("a suite gives the sink that is to keep these promises")

    @pytest.fixture(params=["alone", "together"])
    def companions(self, request: pytest.FixtureRequest, subject: Subject) -> int:
        """How many cases go along with the one that a promise is about, as far as the sink takes several."""
        return min(2, subject.sink.capabilities.batch_size - 1) if request.param == "together" else 0

    async def test_what_it_can_do_can_be_used(self, subject: Subject) -> None:
        can = subject.sink.capabilities
        assert min(can.batch_size, can.find_size, can.concurrency) >= 1
        assert can.settles_after >= timedelta(0)
        assert can.request_timeout > timedelta(0)

    async def test_a_created_case_is_found_by_its_reference(self, subject: Subject, companions: int) -> None:
        change = a_create(subject, notes=("n1",), attachments=("a1",))
        delivered = await delivered_by(subject, change, companions)
        assert await found(subject, change) == delivered.remote
        assert delivered.remote.version == change.version
        assert delivered.remote.notes == {"n1"}
        assert delivered.remote.attachments == {"a1"}
        assert await held(subject, change) == [Held("TEST-1", "received", ["n1"], ["a1"])]

    async def test_a_reference_that_is_not_known_is_not_found(self, subject: Subject) -> None:
        create = a_create(subject)
        await delivered_by(subject, create)
        assert set(await subject.sink.find(["TEST-1", "TEST-2"])) == {"TEST-1"}
        assert await subject.sink.find([]) == {}

    async def test_as_many_references_as_it_says_are_found_at_once(self, subject: Subject) -> None:
        create = a_create(subject)
        await delivered_by(subject, create)
        references = [f"TEST-{number}" for number in range(subject.sink.capabilities.find_size)]
        assert set(await subject.sink.find(references)) <= {"TEST-1"}

    async def test_a_change_of_the_state_that_was_seen_is_taken(self, subject: Subject, companions: int) -> None:
        remote = (await delivered_by(subject, a_create(subject))).remote
        change = an_update(subject, remote, status=Status.PLANNED, notes=("n1",))
        delivered = await delivered_by(subject, change, companions)
        assert delivered.remote.remote_id == remote.remote_id
        assert await found(subject, change) == delivered.remote
        assert await held(subject, change) == [Held("TEST-1", "planned", ["n1"], [])]

    async def test_notes_alone_change_nothing_else(self, subject: Subject, companions: int) -> None:
        remote = (await delivered_by(subject, a_create(subject))).remote
        change = an_update(subject, remote, notes=("n1",), attachments=("a1",))
        delivered = await delivered_by(subject, change, companions)
        assert delivered.remote.notes == {"n1"}
        assert delivered.remote.attachments == {"a1"}
        assert await held(subject, change) == [Held("TEST-1", "received", ["n1"], ["a1"])]

    async def test_a_note_is_said_once_however_often_it_is_repeated(self, subject: Subject, companions: int) -> None:
        change = a_create(subject, notes=("n1",))
        for version in (2, 3):
            remote = (await delivered_by(subject, change, companions if version == 2 else 0)).remote
            change = an_update(subject, remote, version=version, notes=("n1", "n2"))
        await delivered_by(subject, change)
        assert await held(subject, change) == [Held("TEST-1", "received", ["n1", "n2"], [])]

    async def test_a_note_missing_from_a_version_that_arrived_can_still_be_added(self, subject: Subject) -> None:
        change = a_create(subject)
        remote = (await delivered_by(subject, change)).remote
        late = replace(an_update(subject, remote, version=1, notes=("n1",)), change_key=change.change_key)
        delivered = await delivered_by(subject, late)
        assert delivered.remote == replace(remote, notes=frozenset({"n1"}))
        assert await found(subject, change) == delivered.remote

    async def test_a_change_repeated_under_its_key_is_done_once(self, subject: Subject, companions: int) -> None:
        create = a_create(subject, notes=("n1",))
        first = await delivered_by(subject, create, companions)
        assert await delivered_by(subject, create) == first
        assert await held(subject, create) == [Held("TEST-1", "received", ["n1"], [])]
        update = an_update(subject, first.remote, status=Status.CLOSED, notes=("n2",))
        second = await delivered_by(subject, update)
        assert await delivered_by(subject, update, companions) == second
        assert await held(subject, update) == [Held("TEST-1", "closed", ["n1", "n2"], [])]

    async def test_a_create_of_a_case_that_is_there_is_doubt_and_no_second_case(
        self, subject: Subject, companions: int
    ) -> None:
        await delivered_by(subject, a_create(subject))
        again = replace(a_create(subject, status=Status.CLOSED), change_key="TEST-1:again", version=2)
        assert isinstance(await outcome_of(subject, again, companions), UnconfirmedError)
        assert await held(subject, again) == [Held("TEST-1", "received", [], [])]

    async def test_a_change_of_a_state_that_has_passed_is_doubt_and_changes_nothing(
        self, subject: Subject, companions: int
    ) -> None:
        remote = (await delivered_by(subject, a_create(subject))).remote
        await subject.other_end.somebody_changes("TEST-1")
        (before,) = await held(subject, a_create(subject))
        change = an_update(subject, remote, status=Status.CLOSED)
        assert isinstance(await outcome_of(subject, change, companions), UnconfirmedError)
        assert await held(subject, change) == [before]
        again = replace(change, remote=await found(subject, change))
        await delivered_by(subject, again)
        assert [case.status for case in await held(subject, change)] == ["closed"]

    async def test_an_older_change_never_overtakes_a_newer_one(self, subject: Subject, companions: int) -> None:
        remote = (await delivered_by(subject, a_create(subject))).remote
        newer = an_update(subject, remote, version=3, status=Status.CLOSED)
        remote = (await delivered_by(subject, newer)).remote
        older = an_update(subject, remote, version=2, status=Status.PLANNED)
        assert isinstance(await outcome_of(subject, older, companions), UnconfirmedError)
        assert await held(subject, older) == [Held("TEST-1", "closed", [], [])]

    async def test_a_lost_answer_is_doubt_and_a_look_shows_what_arrived(
        self, subject: Subject, companions: int
    ) -> None:
        create = a_create(subject, notes=("n1",))
        subject.other_end.next_write_meets("lost_answer")
        assert isinstance(await outcome_of(subject, create, companions), UnconfirmedError)
        remote = await found(subject, create)
        assert remote.version == 1
        assert remote.notes == {"n1"}
        update = an_update(subject, remote, status=Status.CLOSED)
        subject.other_end.next_write_meets("lost_answer")
        assert isinstance(await outcome_of(subject, update), UnconfirmedError)
        assert (await found(subject, update)).version == 2
        assert await held(subject, update) == [Held("TEST-1", "closed", ["n1"], [])]

    @pytest.mark.parametrize("trouble", ["gibberish_after", "broken_after"])
    async def test_an_answer_that_cannot_be_used_is_doubt_too(
        self, subject: Subject, companions: int, trouble: Trouble
    ) -> None:
        create = a_create(subject)
        subject.other_end.next_write_meets(trouble)
        assert isinstance(await outcome_of(subject, create, companions), UnconfirmedError)
        assert (await found(subject, create)).version == 1
        await delivered_by(subject, create)
        assert len(await held(subject, create)) == 1

    @pytest.mark.parametrize("trouble", ["gibberish", "lost_request"])
    async def test_doubt_about_what_never_arrived_is_cleared_by_a_look(
        self, subject: Subject, companions: int, trouble: Trouble
    ) -> None:
        create = a_create(subject)
        subject.other_end.next_write_meets(trouble)
        assert isinstance(await outcome_of(subject, create, companions), UnconfirmedError)
        assert await subject.sink.find([create.case.reference]) == {}
        await delivered_by(subject, create)
        assert len(await held(subject, create)) == 1

    @pytest.mark.parametrize("trouble", ["busy", "unavailable"])
    async def test_a_busy_system_is_tried_again_when_it_says(
        self, subject: Subject, companions: int, trouble: Trouble
    ) -> None:
        changes = [a_create(subject), *others(subject, companions)]
        subject.other_end.next_write_meets(trouble)
        outcomes = await subject.sink.deliver(changes)
        assert [type(outcome) for outcome in outcomes] == [TemporaryError] * len(changes)
        assert [one.retry_after for one in outcomes if isinstance(one, TemporaryError)] == [WAIT] * len(changes)
        assert await subject.other_end.cases() == []
        assert all(isinstance(outcome, Delivered) for outcome in await subject.sink.deliver(changes))

    async def test_a_wrong_token_is_a_matter_of_settings(self, subject: Subject, companions: int) -> None:
        changes = [a_create(subject), *others(subject, companions)]
        outcomes = await subject.stranger.deliver(changes)
        assert [type(outcome) for outcome in outcomes] == [MisconfiguredError] * len(changes)
        with pytest.raises(MisconfiguredError):
            await subject.stranger.find(["TEST-1"])
        assert not (await subject.stranger.check()).ok
        assert await subject.other_end.cases() == []

    async def test_a_system_out_of_reach_was_sent_nothing(self, subject: Subject, companions: int) -> None:
        changes = [a_create(subject), *others(subject, companions)]
        outcomes = await subject.out_of_reach.deliver(changes)
        assert [type(outcome) for outcome in outcomes] == [TemporaryError] * len(changes)
        with pytest.raises(TemporaryError):
            await subject.out_of_reach.find(["TEST-1"])
        assert not (await subject.out_of_reach.check()).ok

    async def test_a_system_that_is_fit_for_us_passes_the_check(self, subject: Subject) -> None:
        health = await subject.sink.check()
        assert health.ok
        assert "\n" not in health.detail

    async def test_outcomes_are_in_the_order_of_the_changes(self, subject: Subject) -> None:
        several = range(min(5, subject.sink.capabilities.batch_size))
        changes = [a_create(subject, str(number)) for number in several]
        outcomes = await subject.sink.deliver(changes)
        remotes = await subject.sink.find([change.case.reference for change in changes])
        assert [outcome.remote for outcome in outcomes if isinstance(outcome, Delivered)] == [
            remotes[change.case.reference] for change in changes
        ]

    async def test_a_case_that_will_never_be_taken_is_rejected_alone(self, subject: Subject, companions: int) -> None:
        bad = a_create(subject, case_type=subject.refused_case_type)
        good = others(subject, companions)
        outcome, *more = await subject.sink.deliver([bad, *good])
        assert isinstance(outcome, RejectedError)
        assert outcome.code != "unspecified"
        assert all(isinstance(other, Delivered) for other in more)
        assert sorted(case.reference for case in await subject.other_end.cases()) == sorted(
            change.case.reference for change in good
        )

    async def test_a_note_that_will_never_be_taken_is_refused_alone(self, subject: Subject, companions: int) -> None:
        change = a_create(subject, notes=("n1",), attachments=("a1",))
        empty = a_note("n2", text="")
        nowhere = an_attachment("a2", url="file:secret")
        change = replace(change, notes=(empty, *change.notes), attachments=(nowhere, *change.attachments))
        delivered = await delivered_by(subject, change, companions)
        assert [(refusal.key, type(refusal.error)) for refusal in delivered.refused] == [
            ("n2", RejectedError),
            ("a2", RejectedError),
        ]
        assert delivered.remote.notes == {"n1"}
        assert delivered.remote.attachments == {"a1"}

    async def test_no_error_shows_what_is_personal(self, subject: Subject, companions: int) -> None:
        bad = a_create(subject, case_type=subject.refused_case_type)
        remote = (await delivered_by(subject, a_create(subject, "2"))).remote
        change = an_update(subject, remote, "2", notes=("n1",))
        refused = replace(change, notes=(a_note("n1", text="", author="Hildegarde Vandersecret"),))
        errors: list[ConnectorError] = []
        for told in (bad, replace(bad, remote=replace(remote, etag='"0"'), changed=frozenset({"people"})), refused):
            outcome = await outcome_of(subject, told, companions)
            errors += [outcome] if isinstance(outcome, ConnectorError) else [one.error for one in outcome.refused]
        troubles: tuple[Trouble, ...] = ("gibberish", "lost_answer", "broken_after", "busy")
        for number, trouble in enumerate(troubles, start=10):
            subject.other_end.next_write_meets(trouble)
            outcome = await outcome_of(subject, a_create(subject, str(number)), companions)
            assert isinstance(outcome, ConnectorError)
            errors.append(outcome)
        shown = "\n".join(text for error in errors for text in texts_of(error))
        assert len(errors) == 7
        assert [secret for secret in SECRETS if secret in shown] == []


def texts_of(error: BaseException | None) -> Sequence[str]:
    """All that an error and its causes would say in a log."""
    said: list[str] = []
    while error is not None:
        said += [str(error), repr(error)]
        error = error.__cause__
    return said


def a_create(
    subject: Subject,
    number: str = "1",
    *,
    status: Status = Status.RECEIVED,
    case_type: str | None = None,
    notes: Sequence[str] = (),
    attachments: Sequence[str] = (),
) -> CaseChange:
    """A new case that tells something of somebody."""
    return CaseChange(
        case=_case(number, status, case_type or subject.case_type),
        version=1,
        change_key=f"TEST-{number}:1",
        remote=None,
        changed=frozenset({"status", "people", "description", "title", "decision"}),
        notes=tuple(a_note(key, text=SECRETS[4], author=SECRETS[1]) for key in notes),
        attachments=tuple(an_attachment(key) for key in attachments),
    )


def an_update(
    subject: Subject,
    remote: Remote,
    number: str = "1",
    *,
    version: int = 2,
    status: Status | None = None,
    notes: Sequence[str] = (),
    attachments: Sequence[str] = (),
) -> CaseChange:
    """A later change of such a case: its status, or nothing but what is added."""
    return replace(
        a_create(subject, number, status=status or Status.RECEIVED, notes=notes, attachments=attachments),
        version=version,
        change_key=f"TEST-{number}:{version}",
        remote=remote,
        changed=frozenset({"status"} if status else ()),
    )


def others(subject: Subject, number: int) -> list[CaseChange]:
    """New cases that go along."""
    return [a_create(subject, f"other-{position}") for position in range(number)]


async def outcome_of(subject: Subject, change: CaseChange, companions: int = 0) -> Outcome:
    """What became of a change, in the middle of others."""
    along = others(subject, companions)
    outcomes = await subject.sink.deliver([*along[:1], change, *along[1:]])
    assert len(outcomes) == len(along) + 1
    return outcomes[len(along[:1])]


async def delivered_by(subject: Subject, change: CaseChange, companions: int = 0) -> Delivered:
    """The delivery of a change that is taken, as everything that goes along with it is."""
    outcome = await outcome_of(subject, change, companions)
    assert isinstance(outcome, Delivered), outcome
    return outcome


async def found(subject: Subject, change: CaseChange) -> Remote:
    """The case of a change, looked up."""
    remotes: Mapping[str, Remote] = await subject.sink.find([change.case.reference])
    return remotes[change.case.reference]


async def held(subject: Subject, change: CaseChange) -> list[Held]:
    """The case of a change at the other end: once, if all is well."""
    return [case for case in await subject.other_end.cases() if case.reference == change.case.reference]


def _case(number: str, status: Status, case_type: str) -> Case:
    return a_case(
        number,
        facts=some_facts(
            status=status,
            description=Localised(fr=SECRETS[4]),
            people=[a_person(first_name=SECRETS[0], last_name=SECRETS[1], email=SECRETS[2], phone=SECRETS[3])],
        ),
        decision=a_decision(case_type=case_type),
    )
