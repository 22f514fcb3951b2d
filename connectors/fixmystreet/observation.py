"""What a poll makes of an incident: whether it is ours, what counts as its state, whether it is settled. Pure."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from connectors.fixmystreet.moment import day_from, moment_from
from connectors.fixmystreet.naming import case_key
from connectors.fixmystreet.translate import GONE, gone_body
from connectors.fixmystreet.wire import Incident, NestedCategory, Organisation, report_id
from connectors.kit.ports import Observation

LISTED_AFTER_CLOSING: Final = timedelta(days=30)
"""How long a closed report stays in the listings (django-fixmystreet)."""


@dataclass(frozen=True, slots=True)
class Territory:
    """Which incidents are ours: created from a day on, in some postal codes."""

    since: date
    municipalities: Collection[str]

    def holds(self, incident: Incident) -> bool:
        """Whether an incident is ours; one that does not say when or where it is counts as asked for."""
        created = day_from(incident.creation_date)
        address = incident.location.address if incident.location else None
        postal_code = address.postal_code if address else None
        return (created is None or created >= self.since) and (not postal_code or postal_code in self.municipalities)


def observation_from(document: Mapping[str, Any], incident: Incident, settled_before: datetime) -> Observation | None:
    """What was seen, ``None`` for an incident without a number: nothing could ever be said of it again.

    What was closed before ``settled_before`` counts as settled.
    """
    if incident.id is None:
        return None
    closed_at = moment_from(incident.closed_date)
    return Observation(
        external_id=str(incident.id),
        case_key=case_key(incident.id),
        body=_json(document).encode(),
        content=content_of(incident),
        settled=closed_at is not None and closed_at < settled_before,
    )


def gone_observation(number: int, last_body: bytes | None) -> Observation:
    """That a report can no longer be found."""
    return Observation(
        external_id=str(number),
        case_key=case_key(number),
        body=gone_body(number, last_body),
        content=_json({"gone": True}),
        settled=True,
    )


def recorded_observation(document: Any, settled_before: datetime) -> Observation | None:
    """The observation that a body was made from; ``None`` for what is no incident or has no number."""
    if not isinstance(document, dict):
        return None
    if GONE not in document:
        return observation_from(document, Incident.model_validate(document), settled_before)
    last = document.get("incident")
    number = report_id(last.get("id")) if isinstance(last, dict) else None
    return None if number is None else gone_observation(number, _json(last).encode())


def content_of(incident: Incident) -> str:
    """The state of an incident as canonical JSON: equal texts mean that nothing happened.

    Only what we translate counts, times as moments, so that the list and the detail agree however they spell it. Names
    of categories and organisations do not count beside their ids: one renamed category is not a thousand changes.
    """
    return _json(
        incident.model_dump(mode="json", exclude_none=True, exclude={"category", *_TIMES, *_ORGANISATIONS})
        | {name: _moment(getattr(incident, name)) for name in _TIMES if getattr(incident, name)}
        | {name: _organisation(getattr(incident, name)) for name in _ORGANISATIONS if getattr(incident, name)}
        | ({"category": _category(incident.category)} if incident.category else {})
    )


_TIMES: Final = ("creation_date", "updated_date", "closed_date")
_ORGANISATIONS: Final = ("responsible_organisation", "responsible_department")


def _moment(text: str) -> str:
    moment = moment_from(text)
    return moment.isoformat() if moment else text


def _organisation(organisation: Organisation) -> Any:
    return organisation.id or organisation.model_dump(mode="json", exclude_none=True)


def _category(category: NestedCategory | None) -> list[Any]:
    steps: list[Any] = []
    while category is not None:
        steps.append(category.id or [category.name_fr, category.name_nl, category.name_en])
        category = category.category
    return steps


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
