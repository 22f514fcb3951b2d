"""One claimed case on its way through its events. It decides; it neither sends nor stores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.kit.errors import ConnectorError, RejectedError, UnconfirmedError
from connectors.kit.ports import CaseChange, Delivered, Fingerprint, Refusal, Remote, Source
from relais.delivery.decide import Failure, Move, failure_of
from relais.delivery.fold import Folded, Route, fold, without
from relais.delivery.state import CaseState
from relais.ledger.ports import ClaimedCase, Done, How, OpenEvent, Standing
from schemas.case import CaseEvent

UNREADABLE: Final = "unreadable"
UNKNOWN_SOURCE: Final = "unknown_source"
TRANSLATION_FAILED: Final = "translation_failed"
MISSING_THERE: Final = "missing_in_crm"


@dataclass(frozen=True, slots=True)
class _Step:
    """The event at the front, understood: what it makes of the case and what is to be sent."""

    event: OpenEvent
    folded: Folded
    change: CaseChange


class Lane:
    """Holds what a worker knows of a claimed case.

    Use: ``advance`` until it gives a change to send (or None: the loaded events are finished); give the answer to
    ``delivered`` or ``failed``. ``take_report`` hands over what is to be written into the ledger.
    """

    def __init__(
        self, claimed: ClaimedCase, sources: Mapping[str, Source], route: Route, fingerprint: Fingerprint
    ) -> None:
        self.claimed = claimed
        self.sink = claimed.sink
        self.tries = claimed.attempts
        self.blocked = False
        self.lost = False
        self.in_flight = False
        self._finished: list[Done] = []
        self._moved = False
        self._sources = sources
        self._route = route
        self._fingerprint = fingerprint
        self._state: CaseState | None = None
        self._unread_state = claimed.state
        self._remote = self._known_remote()
        self._waiting = list(claimed.events)
        self._doubtful = {event.turn for event in claimed.events if event.in_doubt}
        self._translated: dict[int, CaseEvent | None] = {}
        self._step: _Step | None = None

    @property
    def case_id(self) -> int:
        """The lane's number."""
        return self.claimed.case_id

    @property
    def reference(self) -> str:
        """The name of the case in the CRM."""
        return self.claimed.reference

    @property
    def must_look(self) -> bool:
        """Whether something was handed out earlier whose fate is unknown: find comes before anything is sent."""
        return bool(self._doubtful)

    @property
    def doubt(self) -> int:
        """The highest turn that may have arrived without our knowing; 0 where none."""
        return max(self._doubtful, default=0)

    @property
    def front(self) -> OpenEvent | None:
        """The event whose turn it is."""
        return self._waiting[0] if self._waiting else None

    @property
    def change(self) -> CaseChange | None:
        """The change that is to be sent now."""
        return self._step.change if self._step else None

    def advance(self) -> CaseChange | None:
        """Go through the events until one has something to send; None when none is left.

        What needs no call is finished on the way: nothing new, superseded, unreadable. While ``must_look`` is true
        nothing is prepared: call ``looked`` first.
        """
        self._read_state()
        while self._waiting and self._step is None and not self.blocked and not self.must_look:
            open_event = self._waiting[0]
            event = self._understood(open_event)
            if event is None:
                continue
            if self._superseded(open_event, event):
                self._finish(open_event, how=How.SUPERSEDED)
                continue
            folded = self._folded(event)
            if self.sink is None:
                self.sink = folded.case.decision.destination
            if self._remote is not None and folded.nothing_new:
                self._settle(folded, how=How.SUPERSEDED if folded.stale else How.NOTHING_NEW)
                continue
            self._step = _Step(open_event, folded, self._change(open_event, folded))
        return self.change

    def sink_to_ask(self) -> str | None:
        """Where the case lives, or would live by its first readable event; None when no readable event is left."""
        self._read_state()
        while self.sink is None and self._waiting:
            event = self._understood(self._waiting[0])
            if event is not None:
                self.sink = self._folded(event).case.decision.destination
        return self.sink

    def looked(self, remote: Remote | None) -> None:
        """Take in what find said: what had arrived is delivered, the rest is no longer in doubt.

        A case that the CRM has lost is not created a second time: its first event behind the doubt is parked.
        """
        doubtful, self._doubtful = self._doubtful, set()
        created = self.claimed.remote_id is not None
        if remote is None:
            if created:
                self._remote = None
                self.failed(RejectedError("the CRM no longer has this case", code=MISSING_THERE), out_of_patience=False)
            return
        self._remote = remote
        self._step = None
        while self._waiting and self._waiting[0].turn in doubtful and self._arrived(self._waiting[0], remote):
            continue

    def delivered(self, outcome: Delivered) -> Failure | None:
        """Take in an answer; None where the event is finished.

        Refused notes and attachments park the event alone; a passing trouble with one is a failure to try again.
        """
        step = self._sent()
        self._doubtful.discard(step.event.turn)
        version = max(outcome.remote.version or 0, step.event.turn)
        self._remote = replace(outcome.remote, version=version)
        self._state = without(step.folded.state, frozenset(refusal.key for refusal in outcome.refused))
        self._step = None
        self._moved = True
        self.tries = 0
        passing = [one.error for one in outcome.refused if not isinstance(one.error, RejectedError)]
        if passing:
            self.tries = 1
            return failure_of(passing[0], carries_case=False, out_of_patience=False)
        if outcome.refused:
            self._park_refused(step, outcome.refused)
        else:
            self._finish(step.event, how=How.SENT, folded=step.folded)
        return None

    def failed(self, error: ConnectorError, *, out_of_patience: bool) -> Failure:
        """Take in a failure of find or of deliver; parks the front event where that is the move.

        The caller waits, releases or pauses as the failure says.
        """
        front, sending = self._waiting[0], self._step is not None
        change = self.change
        failure = failure_of(
            error,
            carries_case=change is None or change.remote is None or bool(change.changed),
            out_of_patience=out_of_patience,
        )
        if sending and isinstance(error, UnconfirmedError):
            self._doubtful.add(front.turn)
        elif sending:
            # the CRM said that nothing was written; a failed find leaves every doubt as it was
            self._doubtful.discard(front.turn)
        # a parked event with a rule was understood: a human sees what the CRM refused apart from what we cannot read
        rule = self._step.folded.case.decision.rule if self._step else None
        self._step = None
        if failure.move in (Move.PARK_AND_BLOCK, Move.PARK_ALONE):
            self.blocked = failure.move is Move.PARK_AND_BLOCK
            self._waiting.pop(0)
            self._finished.append(
                Done(front.seq, code=failure.code, reason=failure.reason, blocks=self.blocked, rule=rule)
            )
        else:
            self.tries += 1
        return failure

    def take_report(self) -> tuple[tuple[Done, ...], Standing | None]:
        """What was finished since the last report, and how the case stands where that has changed."""
        finished, self._finished = tuple(self._finished), []
        standing = self._standing() if self._moved else None
        self._moved = False
        return finished, standing

    def _read_state(self) -> None:
        if self._unread_state is not None:
            self._state, self._unread_state = CaseState.model_validate_json(self._unread_state), None

    def _known_remote(self) -> Remote | None:
        case = self.claimed
        if case.remote_id is None:
            return None
        return Remote(remote_id=case.remote_id, etag=case.etag, version=case.version, link=case.link)

    def _understood(self, open_event: OpenEvent) -> CaseEvent | None:
        """The front event in our vocabulary; None when it had to be parked alone."""
        if open_event.seq in self._translated:
            return self._translated[open_event.seq]
        source = self._sources.get(open_event.event.source)
        if source is None:
            self._park_unread(open_event, UNKNOWN_SOURCE, f"no source {open_event.event.source} is configured")
            return None
        try:
            event = source.translate(open_event.event, self._fingerprint)
        except RejectedError as error:
            self._park_unread(open_event, error.code if error.code != "unspecified" else UNREADABLE, error.reason)
            return None
        except Exception as error:  # noqa: BLE001  # the edge of a connector's pure code: a fault there parks one event
            self._park_unread(open_event, TRANSLATION_FAILED, f"the translation failed: {type(error).__name__}")
            return None
        # whose case it is was decided when it was accepted, and stays decided
        event = event.model_copy(update={"key": self.claimed.key, "test": open_event.event.test or event.test})
        self._translated[open_event.seq] = event
        return event

    def _folded(self, event: CaseEvent) -> Folded:
        return fold(
            self._state,
            event,
            reference=self.reference,
            precedence=self._sources[event.source].precedence,
            route=self._route,
        )

    def _superseded(self, open_event: OpenEvent, event: CaseEvent) -> bool:
        """Whether a later loaded snapshot of the same door says all that this one says, and this one was never sent."""
        if event.additive or open_event.in_doubt or open_event.turn in self._doubtful:
            return False
        for later in self._waiting[1:]:
            if later.event.door != event.door or later.event.source != event.source:
                continue
            following = self._peeked(later)
            if following is None:
                continue
            if following.observed_at is None or event.observed_at is None or following.observed_at >= event.observed_at:
                return True
        return False

    def _peeked(self, later: OpenEvent) -> CaseEvent | None:
        if later.seq not in self._translated:
            try:
                event = self._sources[later.event.source].translate(later.event, self._fingerprint)
            except Exception:  # noqa: BLE001  # it will be parked when its turn comes
                return None
            update = {"key": self.claimed.key, "test": later.event.test or event.test}
            self._translated[later.seq] = event.model_copy(update=update)
        return self._translated[later.seq]

    def _change(self, open_event: OpenEvent, folded: Folded) -> CaseChange:
        return CaseChange(
            case=folded.case,
            version=open_event.turn,
            change_key=f"{self.reference}:{open_event.turn}",
            remote=self._remote,
            changed=folded.changed,
            notes=folded.notes,
            attachments=folded.attachments,
        )

    def _arrived(self, open_event: OpenEvent, remote: Remote) -> bool:
        """Finish an event in doubt that the CRM shows to have taken in; False where the CRM shows that it did not."""
        event = self._understood(open_event)
        if event is None:
            return True
        folded = self._folded(event)
        if folded.nothing_new and self._state is not None:
            self._settle(folded, how=How.SUPERSEDED if folded.stale else How.NOTHING_NEW)
            return True
        version_arrived = remote.version is not None and remote.version >= open_event.turn
        missing = {note.key for note in folded.notes} - remote.notes
        missing |= {attachment.key for attachment in folded.attachments} - remote.attachments
        if not version_arrived and (folded.changed or self._state is None):
            return False
        if missing:
            # the case's change is there, something beside it is not: the next fold sends just that
            self._state = without(folded.state, frozenset(missing))
            self._moved = True
            return False
        self._settle(folded, how=How.FOUND)
        return True

    def _settle(self, folded: Folded, *, how: How) -> None:
        self._state = folded.state
        self._moved = True
        self._finish(self._waiting[0], how=how, folded=folded)

    def _standing(self) -> Standing | None:
        remote, state = self._remote, self._state
        if remote is None or state is None:
            return None
        return Standing(
            sink=self.sink,
            remote_id=remote.remote_id,
            etag=remote.etag,
            link=remote.link,
            version=remote.version or 0,
            state=state.model_dump_json(exclude_none=True),
        )

    def _sent(self) -> _Step:
        if self._step is None:
            raise AssertionError("an answer came for a lane that had sent nothing")
        return self._step

    def _finish(self, open_event: OpenEvent, *, how: How, folded: Folded | None = None) -> None:
        self._waiting.remove(open_event)
        self._translated.pop(open_event.seq, None)
        decision = folded.case.decision if folded else None
        summary = _summary(folded, open_event.turn) if folded else None
        self._finished.append(Done(open_event.seq, how=how, rule=decision.rule if decision else None, summary=summary))

    def _park_unread(self, open_event: OpenEvent, code: str, reason: str) -> None:
        self._waiting.remove(open_event)
        self._doubtful.discard(open_event.turn)
        self._finished.append(Done(open_event.seq, code=code, reason=reason))

    def _park_refused(self, step: _Step, refused: Sequence[Refusal]) -> None:
        self._waiting.remove(step.event)
        reasons = "; ".join(sorted({one.error.reason for one in refused}))
        keys = ", ".join(one.key for one in refused)
        self._finished.append(
            Done(
                step.event.seq,
                code=refused[0].error.code,
                reason=f"the case was taken, but not {keys}: {reasons}",
                rule=step.folded.case.decision.rule,
                summary=_summary(step.folded, step.event.turn),
            )
        )


def _summary(folded: Folded, version: int) -> str:
    """What the feeds may say of an event: types, codes and numbers, nothing personal."""
    case = folded.case
    return json.dumps(
        {"case_type": case.decision.case_type, "status": case.status, "tenant": case.tenant, "version": version},
        separators=(",", ":"),
    )
