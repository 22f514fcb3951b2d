"""Fixtures through the doors that such events come in by: what each is called in the ledger."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from connectors.kit.ports import Arrival, Fingerprint, Observation, Poll, Source, Webhook
from connectors.kit.strict_json import MalformedJsonError, parse
from relais.operations.fixtures import Fixture, Misfit

RUN_PATTERN: Final = re.compile(r"[a-z0-9]{1,12}")
"""What the token of a run as new looks like."""


class Doorways:
    """Names fixtures one after the other, in the order in which they are played.

    A push is named by its webhook. What was polled is named by its content, by when it was received where that is
    known, and by how often it came back: so the same fixtures have the same names whenever they are played, and never
    the name that a poll of our own will give. With ``run`` all names are new ones that carry that token.
    """

    def __init__(self, sources: Mapping[str, Source], fingerprint: Fingerprint, run: str | None) -> None:
        self._sources = sources
        self._fingerprint = fingerprint
        self._run = run
        self._said: dict[tuple[str, str, str], tuple[str, Arrival]] = {}
        self._times: Counter[str] = Counter()

    def arrival(self, fixture: Fixture) -> Arrival | Misfit:
        """The fixture as it arrives; a misfit where its door would not have let it in."""
        source = self._sources.get(fixture.source)
        if source is None:
            known = ", ".join(sorted(self._sources))
            return Misfit(fixture.where, f"no source {fixture.source} is configured; there are: {known}")
        webhook = next((one for one in source.webhooks if one.door == fixture.door), None)
        poll = next((one for one in source.polls if one.door == fixture.door), None)
        try:
            if webhook is not None:
                return self._renamed(_pushed(fixture, webhook))
            if poll is not None:
                return self._polled(fixture, poll)
        except MalformedJsonError as error:
            return Misfit(fixture.where, f"the door would refuse the body: {error.reason}")
        except _RefusedError as error:
            return Misfit(fixture.where, str(error))
        doors = sorted({one.door for one in source.webhooks} | {one.door for one in source.polls})
        return Misfit(fixture.where, f"{fixture.source} has no door {fixture.door}; it has: {', '.join(doors)}")

    def _polled(self, fixture: Fixture, poll: Poll) -> Arrival:
        observation = poll.recorded(parse(fixture.body))
        if observation is None:
            raise _RefusedError("it names nothing, so a poll would have left it out")
        thing = (fixture.source, fixture.door, observation.external_id)
        said = self._said.get(thing)
        if said is not None and said[0] == observation.content:
            return said[1]  # it says what it said before: nothing happened
        arrival = self._renamed(self._seen(fixture, observation))
        self._said[thing] = observation.content, arrival
        return arrival

    def _seen(self, fixture: Fixture, observation: Observation) -> Arrival:
        when = fixture.received_at.isoformat() if fixture.received_at else ""
        digest = self._fingerprint(f"{observation.external_id}|{when}|{observation.body.decode()}")
        self._times[digest] += 1
        name = f"{fixture.door}:{observation.external_id}:replay-{digest[:16]}-{self._times[digest]}"
        return Arrival(fixture.source, fixture.door, name, observation.case_key, observation.body)

    def _renamed(self, arrival: Arrival) -> Arrival:
        if self._run is None:
            return arrival
        source, _, external_id = (arrival.case_key or "").partition(":")
        return replace(
            arrival,
            event_id=f"test-{self._run}:{arrival.event_id}",
            case_key=f"{source}:test-{self._run}-{external_id}" if arrival.case_key else None,
        )


class _RefusedError(Exception):
    """A door would not have let it in; the message says why."""


def _pushed(fixture: Fixture, webhook: Webhook) -> Arrival:
    if len(fixture.body) > webhook.body_limit:
        raise _RefusedError(f"the door would refuse the body: larger than {webhook.body_limit} bytes")
    return webhook.arrival(parse(fixture.body), fixture.body)
