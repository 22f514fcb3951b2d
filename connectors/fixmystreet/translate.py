"""From what Fix My Street says to our vocabulary: pure, and total over anything that is a JSON object."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import JsonValue, ValidationError

from connectors.fixmystreet.category import Tree, path_of_display, path_of_nested, title_of
from connectors.fixmystreet.conversation import description_and_notes, language_of, person_from
from connectors.fixmystreet.moment import remarked_moment_from
from connectors.fixmystreet.naming import INCIDENTS, WEBHOOK, case_key
from connectors.fixmystreet.place import place_of_incident, place_of_report
from connectors.fixmystreet.remarks import Remarks
from connectors.fixmystreet.status import status_from
from connectors.fixmystreet.wire import Incident, Meta, Organisation, Push, Report, TwoLanguages, irregularities
from connectors.kit.errors import RejectedError
from connectors.kit.ports import Fingerprint, StoredEvent
from connectors.kit.strict_json import MalformedJsonError, parse
from schemas.attachment import Attachment
from schemas.case import CaseEvent, CaseFacts, Dates, Kind, Link, Status
from schemas.place import Place
from schemas.text import Language, Localised

KNOWN_EVENTS: Final = {("report", "transfer", "request"), ("report", "assignment", "request")}
"""The only events that Fix My Street is documented to push."""

GONE: Final = "relais"
"""Our own mark, in a body that we write ourselves when a report can no longer be found."""

PDF_TITLES: Final = {
    Language.FR: Localised(fr="Signalement complet avec photos (PDF)"),
    Language.NL: Localised(nl="Volledige melding met foto's (PDF)"),
}


def case_event_from(event: StoredEvent, tree: Tree, fingerprint: Fingerprint) -> CaseEvent:
    """What a stored event says. ``tree`` knows where categories stand; one that it does not know is a remark.

    Raises RejectedError where the body is not a JSON object or its door is not one of ours.
    """
    document = _document(event.body)
    try:
        if event.door == WEBHOOK:
            return _from_push(event, document, tree, fingerprint)
        if event.door == INCIDENTS:
            return _from_gone(event, document, tree) if GONE in document else _from_incident(event, document, tree)
    except ValidationError as error:
        # The net under total functions: which field it was, never what stood in it.
        fields = sorted(
            {".".join(str(step) for step in fault["loc"][:3]) for fault in error.errors(include_input=False)}
        )
        raise RejectedError(f"cannot be said in our vocabulary: {', '.join(fields)}", code="invalid_field") from None
    raise RejectedError("an event through a door that Fix My Street does not have", code="unknown_door")


def gone_body(number: int, last_body: bytes | None) -> bytes:
    """The body of *it can no longer be found*, holding the report as it was last seen."""
    last = json.loads(last_body) if last_body else None
    if isinstance(last, dict) and GONE in last:
        last = last.get("incident")
    body = {GONE: {"gone": True}, "incident": last if isinstance(last, dict) else {"id": number}}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = parse(body)
    except MalformedJsonError as error:
        raise RejectedError(f"the body is not sound JSON: {error.reason}", code="unreadable") from None
    if not isinstance(document, dict):
        raise RejectedError("the body is not a JSON object", code="unreadable")
    return document


# --- pushed ----------------------------------------------------------------------------------------------------------


def _from_push(event: StoredEvent, document: dict[str, Any], tree: Tree, fingerprint: Fingerprint) -> CaseEvent:
    push = Push.model_validate(document)
    meta, report = push.meta or Meta(), (push.data and push.data.report) or Report()
    remarks = Remarks()
    _remark_irregularities(push, document, remarks)
    known = (meta.resource, meta.hook, meta.action) in KNOWN_EVENTS
    if not known:
        remarks.add("webhook_unknown", "meta")
    modified_at = remarked_moment_from(meta.now or report.modified_at, "dates.changed_at", remarks)
    language = language_of(report.creator, remarks)
    description, notes = description_and_notes(report, language, fingerprint, remarks)
    person = person_from(report.creator, language)
    category = path_of_display(report.category, tree, remarks) if report.category else None
    if report.category is None:
        remarks.add("category_missing", "category")
    place = place_of_report(report, remarks)
    return CaseEvent(
        key=event.case_key,
        source=event.source,
        door=event.door,
        event_id=event.event_id,
        tenant=_tenant(place),
        kind=Kind.REPORT,
        observed_at=modified_at,
        facts=CaseFacts(
            category=category,
            title=title_of(category),
            description=description,
            language=language,
            place=place,
            people=(person,) if person else None,
            dates=_dates(
                reported_at=remarked_moment_from(report.created_at, "dates.reported_at", remarks),
                changed_at=modified_at,
            ),
            extra=_said(
                request=f"{meta.hook}.{meta.action}" if meta.hook and meta.action else None,
                severalOccurrence=report.several_occurences,
            ),
            remarks=remarks.all(),
        ),
        notes=notes,
        attachments=_attachments(report.pdf_url),
        milestone=not known,
        test=event.test,
    )


def _attachments(pdf_url: TwoLanguages | None) -> tuple[Attachment, ...]:
    urls = {Language.FR: pdf_url.fr, Language.NL: pdf_url.nl} if pdf_url else {}
    return tuple(
        Attachment(
            key=f"pdf-{language.value}",
            url=url,
            title=PDF_TITLES[language],
            media_type="application/pdf",
            language=language,
        )
        for language, url in urls.items()
        if url and url.startswith(("http://", "https://"))
    )


# --- polled ----------------------------------------------------------------------------------------------------------


def _from_incident(event: StoredEvent, document: dict[str, Any], tree: Tree) -> CaseEvent:
    incident = Incident.model_validate(document)
    remarks = Remarks()
    _remark_irregularities(incident, document, remarks)
    category = path_of_nested(incident.category, tree, remarks) if incident.category else None
    if incident.category is None:
        remarks.add("category_missing", "category")
    if incident.merged_with is not None:
        remarks.add("merged", "links")
    updated_at = remarked_moment_from(incident.updated_date, "dates.changed_at", remarks)
    place = place_of_incident(incident.location, remarks)
    return CaseEvent(
        key=event.case_key,
        source=event.source,
        door=event.door,
        event_id=event.event_id,
        tenant=_tenant(place),
        kind=Kind.REPORT,
        observed_at=updated_at,
        facts=CaseFacts(
            category=category,
            status=status_from(incident.status, declared_resolved=incident.declared_resolved is True, remarks=remarks),
            source_status=incident.status or None,
            title=title_of(category),
            place=place,
            dates=_dates(
                reported_at=remarked_moment_from(incident.creation_date, "dates.reported_at", remarks),
                changed_at=updated_at,
                closed_at=remarked_moment_from(incident.closed_date, "dates.closed_at", remarks),
            ),
            links=_merge_link(incident.merged_with),
            extra=_extra(incident),
            remarks=remarks.all(),
        ),
        test=event.test,
    )


def _from_gone(event: StoredEvent, document: dict[str, Any], tree: Tree) -> CaseEvent:
    """Everything as it was last seen, but removed.

    ``observed_at`` stays the last one: a report that comes back unchanged must not be taken for older than its going.
    """
    last = document.get("incident")
    seen = _from_incident(event, last if isinstance(last, dict) else {}, tree)
    remarks = Remarks()
    remarks.add("gone_upstream", "status")
    facts = seen.facts
    return seen.model_copy(
        update={
            "facts": facts.model_copy(
                update={
                    "status": Status.REMOVED,
                    "dates": (facts.dates or Dates()).model_copy(update={"gone_at": event.received_at.astimezone(UTC)}),
                    "remarks": (*(facts.remarks or ()), *(remarks.all() or ())),
                }
            )
        }
    )


def _merge_link(survivor: int | None) -> tuple[Link, ...] | None:
    return (Link(relation="merged_with", href=case_key(survivor)),) if survivor is not None else None


def _extra(incident: Incident) -> dict[str, JsonValue] | None:
    return _said(
        duplicates=incident.duplicates,
        severalOccurrence=incident.several_occurrence,
        declaredResolved=incident.declared_resolved,
        thirdParty=incident.third_party,
        privateLocation=incident.private_location,
        visibility=incident.visibility,
        responsibleOrganisation=_organisation(incident.responsible_organisation),
        responsibleDepartment=_organisation(incident.responsible_department),
    )


def _organisation(organisation: Organisation | None) -> dict[str, JsonValue] | None:
    """Who is responsible, without their contact addresses."""
    if organisation is None:
        return None
    return _said(
        id=organisation.id,
        type=organisation.type,
        nameFr=organisation.name_fr,
        nameNl=organisation.name_nl,
        nameEn=organisation.name_en,
    )


# --- both ------------------------------------------------------------------------------------------------------------


def _remark_irregularities(read: Push | Incident, document: Mapping[str, Any], remarks: Remarks) -> None:
    found = irregularities(read, document)
    remarks.add_each("field_unknown", found.unknown)
    remarks.add_each("field_unreadable", found.unreadable)


def _tenant(place: Place | None) -> str | None:
    return place.address.nis_code if place and place.address else None


def _dates(**moments: datetime | None) -> Dates | None:
    return Dates(**moments) if any(moments.values()) else None


def _said(**values: JsonValue) -> dict[str, JsonValue] | None:
    return {name: value for name, value in values.items() if value is not None} or None
